import type { Clock } from '../core/clock.ts';

/** What can run out of time. `at`: monotonic ms; Infinity while nothing is due. */
export interface Timed {
  readonly deadline: number;
  expire(): void;
  /** Where the Deadlines that watches it, one at most, keeps it; absent: nowhere. Its alone to write. */
  slot?: number | undefined;
}

/**
 * Watches many deadlines with one timer, because a timer for each of ten thousand connections, re-armed at every byte, costs
 * more than moving the bytes. Due things expire up to one interval late.
 *
 * An array, and no Set: V8 rebuilds a Set every few additions where as many are taken out, and each table leads to the next.
 * One that got old can then keep later ones alive, with the requests that were in them, until a full collection.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #watched: Timed[] = [];
  #running: AbortController | undefined;

  constructor(clock: Clock, intervalMs = 100) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  watch(timed: Timed): void {
    if (timed.slot === undefined) timed.slot = this.#watched.push(timed) - 1;
    if (this.#running !== undefined) return;
    this.#running = new AbortController();
    void this.#run(this.#running);
  }

  /** Idempotent. The timer ends with the last watched thing. */
  forget(timed: Timed): void {
    const { slot } = timed;
    if (slot === undefined || this.#watched[slot] !== timed) return;
    timed.slot = undefined;
    const last = this.#watched.pop();
    if (last !== undefined && last !== timed) {
      this.#watched[slot] = last;
      last.slot = slot;
    }
    if (this.#watched.length > 0) return;
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
      // From the end: whoever leaves meanwhile is replaced by one that was looked at.
      for (let i = this.#watched.length - 1; i >= 0; i--) {
        const timed = this.#watched[i];
        if (timed !== undefined && now >= timed.deadline) timed.expire();
      }
    }
  }
}
