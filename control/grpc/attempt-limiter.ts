import type { Clock } from '../../core/clock.ts';

const windowMs = 60_000;
const maxSources = 10_000;

/** Refused attempts by source: whoever guesses is slowed down, whoever is right never is. */
export class AttemptLimiter {
  readonly #clock: Clock;
  readonly #perWindow: number;
  readonly #refused = new Map<string, { since: number; count: number }>();

  constructor(clock: Clock, perWindow = 20) {
    this.#clock = clock;
    this.#perWindow = perWindow;
  }

  mayTry(source: string): boolean {
    const entry = this.#refused.get(source);
    return entry === undefined || this.#clock.monotonic() - entry.since >= windowMs || entry.count < this.#perWindow;
  }

  refused(source: string): void {
    const now = this.#clock.monotonic();
    const entry = this.#refused.get(source);
    if (entry !== undefined && now - entry.since < windowMs) {
      entry.count += 1;
      return;
    }
    if (this.#refused.size >= maxSources) this.#forgetOld(now);
    this.#refused.set(source, { since: now, count: 1 });
  }

  #forgetOld(now: number): void {
    for (const [source, entry] of this.#refused) if (now - entry.since >= windowMs) this.#refused.delete(source);
    // Maps keep insertion order: the oldest goes.
    const [oldest] = this.#refused.keys();
    if (this.#refused.size >= maxSources && oldest !== undefined) this.#refused.delete(oldest);
  }
}
