import type { Clock } from '../../../core/clock.ts';

const burst = 64;
const perSecond = 8;
const maxCallers = 20_000;

/** How often one caller may ask: a bucket each, filled by the clock. Callers are authenticated, so that their number is bounded by what was issued. */
export class SignPace {
  readonly #clock: Clock;
  readonly #callers = new Map<string, { left: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one; false: there is none. */
  take(caller: string): boolean {
    const now = this.#clock.monotonic();
    const known = this.#callers.get(caller);
    const left = known === undefined ? burst : Math.min(burst, known.left + ((now - known.at) / 1_000) * perSecond);
    // Whoever asked last stands last: the one that goes is full again, or nearly.
    this.#callers.delete(caller);
    const [longestAgo] = this.#callers.keys();
    if (this.#callers.size >= maxCallers && longestAgo !== undefined) this.#callers.delete(longestAgo);
    this.#callers.set(caller, { left: left < 1 ? left : left - 1, at: now });
    return left >= 1;
  }
}
