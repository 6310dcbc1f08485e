import type { Clock } from '../../core/clock.ts';

export interface RateLimits {
  /** Calls one address may make in a burst, and how many it gets back a second. */
  readonly burst: number;
  readonly perSecond: number;
}

/** A token bucket for each key, for a bounded number of keys: beyond that the one unused longest is forgotten. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #maxKeys = 10_000;

  constructor(clock: Clock, limits: RateLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Takes one; false: there was none left. */
  take(key: string): boolean {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#limits.burst, at: now };
    const tokens = Math.min(this.#limits.burst, bucket.tokens + ((now - bucket.at) / 1000) * this.#limits.perSecond);
    // Written anew so that the map stays in the order of use.
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    const oldest = this.#buckets.size > this.#maxKeys ? this.#buckets.keys().next().value : undefined;
    if (oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1;
  }
}
