import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';

/** setTimeout takes no more than 24 days. */
const mostSleepMs = 3_600_000;

/**
 * A peer's clock, by its heartbeats, running on ours in between: late by the way of the last one, and by what the two clocks drift
 * apart after it. Wakes whoever waits for a time of it; one at a time.
 */
export class PeerClock {
  readonly #clock: Clock;
  /** Of ours, monotonic, to the peer's, Unix. */
  #offset: number;
  #nap: AbortController | undefined;
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** Unix ms there. */
  now(): number {
    return this.#clock.monotonic() + this.#offset;
  }

  /** ms that it is ahead of our Unix clock. */
  get lead(): number {
    return this.now() - this.#clock.now();
  }

  /** As it was when an earlier process heard it. */
  restore(lead: number): void {
    this.#offset = this.#clock.now() + lead - this.#clock.monotonic();
  }

  /** It has just said that it is `now` there. */
  heard(now: number): void {
    this.#offset = now - this.#clock.monotonic();
  }

  /** Calls `run` once it is `at` there, as far as is known now; undefined: never. What was waited for before is not any more. */
  wake(at: number | undefined, run: () => void): void {
    this.#nap?.abort();
    this.#nap = undefined;
    if (at === undefined || this.#ended) return;
    const nap = new AbortController();
    this.#nap = nap;
    const again = () => {
      if (nap.signal.aborted) return;
      if (this.now() < at) this.wake(at, run);
      else run();
    };
    const slept = this.#clock.sleep(Math.min(mostSleepMs, Math.max(0, at - this.now())), nap.signal);
    void slept.then(again, (error: unknown) => {
      if (!isAborted(error)) throw error;
    });
  }

  /** Nobody is woken any more. */
  end(): void {
    this.#ended = true;
    this.wake(undefined, () => {});
  }
}
