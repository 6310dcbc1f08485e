import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { forEachBounded } from '../../core/registry/index.ts';
import type { NomadClient } from './client.ts';
import type { NomadTuning } from './config.ts';
import type { NativeService, NomadState } from './state.ts';

/** Allocations that showed no checks this many times in a row are asked every `quietMs` only. */
const quietAfter = 5;
const quietMs = 30_000;
/** However many allocations there are, no more questions a second than this. */
const questionsPerSecond = 50;

/**
 * Keeps asking for the results of Nomad's own checks: they live on the nodes, in no list, no event and behind no blocking query. A
 * node that does not answer changes nothing: whether it is alive is not its checks' to say.
 */
export class CheckWatcher {
  readonly #client: NomadClient;
  readonly #state: NomadState;
  readonly #tuning: NomadTuning;
  readonly #clock: Clock;
  readonly #asked = new Map<string, { due: number; empty: number }>();

  constructor(client: NomadClient, state: NomadState, tuning: NomadTuning, clock: Clock) {
    this.#client = client;
    this.#state = state;
    this.#tuning = tuning;
    this.#clock = clock;
  }

  /** Asks all that are due once; resolves with what may look different. Never rejects but with ABORTED. */
  async round(signal: AbortSignal): Promise<Set<NativeService>> {
    const running = new Set(this.#state.runningAllocations());
    for (const id of this.#asked.keys()) if (!running.has(id)) this.#asked.delete(id);
    const now = this.#clock.monotonic();
    const due = [...running].filter((id) => (this.#asked.get(id)?.due ?? 0) <= now);
    const touched = new Set<NativeService>();
    await forEachBounded(due, Math.ceil(this.#tuning.concurrency / 2), signal, async (id, inner) => {
      for (const service of await this.#ask(id, running.size, inner)) touched.add(service);
    });
    return touched;
  }

  async #ask(id: string, running: number, signal: AbortSignal): Promise<Set<NativeService>> {
    const before = this.#asked.get(id)?.empty ?? 0;
    let empty = before + 1;
    let touched = new Set<NativeService>();
    try {
      const results = await this.#client.readChecks(id, signal);
      if (Object.keys(results).length > 0) empty = 0;
      touched = this.#state.setChecks(id, results);
    } catch (error) {
      if (isAborted(error)) throw error;
    }
    const busy = Math.max(this.#tuning.checkIntervalMs, (running / questionsPerSecond) * 1_000);
    this.#asked.set(id, { empty, due: this.#clock.monotonic() + (empty >= quietAfter ? quietMs : busy) });
    return touched;
  }
}
