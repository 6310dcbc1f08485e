import type { Clock } from '../core/clock.ts';

/** What can run out of time. `at`: monotonic ms; Infinity while nothing is due. */
export interface Timed {
  readonly deadline: number;
  expire(): void;
}

/**
 * Watches many deadlines with one timer, because a timer for each of ten thousand connections, re-armed at every byte, costs
 * more than moving the bytes. Due things expire up to one interval late.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #watched = new Set<Timed>();
  #running: AbortController | undefined;

  constructor(clock: Clock, intervalMs = 100) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  watch(timed: Timed): void {
    this.#watched.add(timed);
    if (this.#running !== undefined) return;
    this.#running = new AbortController();
    void this.#run(this.#running);
  }

  /** Idempotent. The timer ends with the last watched thing. */
  forget(timed: Timed): void {
    this.#watched.delete(timed);
    if (this.#watched.size > 0) return;
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(mine: AbortController): Promise<void> {
    while (this.#running === mine) {
      try {
        await this.#clock.sleep(this.#intervalMs, mine.signal);
      } catch {
        return;
      }
      const now = this.#clock.monotonic();
      for (const timed of this.#watched) if (now >= timed.deadline) timed.expire();
    }
  }
}
