import type { Clock } from '../clock.ts';
import { type MeshError, toMeshError } from '../errors.ts';
import { childController, exponentialBackoff } from '../lifecycle.ts';
import type { RegistryEvent } from './contract.ts';
import { EventQueue } from './event-queue.ts';

/** Hands one event to the reader; waits while the reader is behind. */
export type Emit = (event: RegistryEvent) => Promise<void>;

/**
 * One try at following a registry: reads everything, emits a snapshot, then deltas. Returns when it must read everything
 * anew (an index that went back); throws when the registry cannot be read. Everything it started has ended by then, and
 * `signal` aborts it promptly.
 */
export type SourceSession = (emit: Emit, signal: AbortSignal) => Promise<void>;

export interface SourceLoopOptions {
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
  /** Called for every failed session, also where the reader hears nothing new. */
  readonly onFailure: (error: MeshError) => void;
  /** First and longest wait between tries, ms. Default 100 and 5,000. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
}

/**
 * The outer loop that every adapter shares: sessions one after another with jittered waits, one `stale` per outage, all
 * events through a bounded queue. Keeps RegistrySource's promises: it ends only when `signal` aborts or the reader stops,
 * without throwing, and after everything it started has ended.
 */
export async function* runSource(session: SourceSession, options: SourceLoopOptions, signal: AbortSignal): AsyncIterable<RegistryEvent> {
  if (signal.aborted) return;
  const { controller, release } = childController(signal);
  const queue = new EventQueue();
  const end = () => queue.end();
  controller.signal.addEventListener('abort', end, { once: true });
  const running = repeat(session, options, queue, controller.signal);
  try {
    for (;;) {
      const event = await queue.take();
      if (event === undefined) return;
      yield event;
    }
  } finally {
    controller.abort();
    await running;
    release();
  }
}

async function repeat(session: SourceSession, options: SourceLoopOptions, queue: EventQueue, signal: AbortSignal): Promise<void> {
  const { baseMs, maxMs } = options.backoff ?? { baseMs: 100, maxMs: 5_000 };
  const backoff = exponentialBackoff({ baseMs, maxMs, random: options.random });
  let stale = false;
  while (!signal.aborted) {
    let syncedAt: number | undefined;
    const emit: Emit = async (event) => {
      await queue.push(event, signal);
      if (event.kind !== 'snapshot') return;
      stale = false;
      syncedAt = options.clock.monotonic();
    };
    try {
      await session(emit, signal);
    } catch (error) {
      if (signal.aborted) return;
      const failure = toMeshError(error);
      options.onFailure(failure);
      if (!stale) await queue.push({ kind: 'stale', error: failure }, signal).catch(() => {});
      stale = true;
    }
    // A registry that answers a full read and fails right after must not be hammered with full reads.
    if (syncedAt !== undefined && options.clock.monotonic() - syncedAt >= maxMs) backoff.reset();
    await options.clock.sleep(backoff.next(), signal).catch(() => {});
  }
}
