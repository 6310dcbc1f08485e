import { MeshError } from '../errors.ts';
import type { RegistryEvent } from './contract.ts';

/**
 * A bounded, lossless, ordered hand-over from the tasks of a source to its one reader: `push` waits while the reader is
 * behind, so that slowness holds the registry's queries back instead of growing memory or dropping events.
 */
export class EventQueue {
  readonly #events: RegistryEvent[] = [];
  readonly #capacity: number;
  readonly #room = new Set<() => void>();
  #ready: (() => void) | undefined;
  #ended = false;

  constructor(capacity = 64) {
    this.#capacity = capacity;
  }

  /** Resolves once the event is in line; rejects ABORTED when `signal` aborts or the queue has ended first. */
  async push(event: RegistryEvent, signal: AbortSignal): Promise<void> {
    while (!this.#ended && !signal.aborted && this.#events.length >= this.#capacity) await this.#waitForRoom(signal);
    if (this.#ended || signal.aborted) throw new MeshError('ABORTED', 'the registry source has ended', { cause: signal.reason });
    this.#events.push(event);
    this.#ready?.();
  }

  /** The next event, or undefined at once when the queue ends, whatever is still in it. */
  async take(): Promise<RegistryEvent | undefined> {
    while (!this.#ended && this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        this.#ready = resolve;
      });
    }
    if (this.#ended) return undefined;
    const event = this.#events.shift();
    this.#wakeWriters();
    return event;
  }

  end(): void {
    this.#ended = true;
    this.#ready?.();
    this.#wakeWriters();
  }

  #wakeWriters(): void {
    const waiting = [...this.#room];
    this.#room.clear();
    for (const wake of waiting) wake();
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#room.delete(wake);
        resolve();
      };
      this.#room.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
