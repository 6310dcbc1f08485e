import { atMost } from './binomial.ts';
import { deviationsFor } from './normal.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** `hits` of `total` trials; `total` is at least 1. */
export interface Share {
  readonly hits: number;
  readonly total: number;
}

/** Two-sided: of what is true, given what was seen, at the confidence in (0, 1). */
export type ShareInterval = (share: Share, confidence: number) => Interval;

/** Wilson's score interval: close to its confidence on average, a little less than it where hits are rare. */
export const wilsonInterval: ShareInterval = ({ hits, total }, confidence) => {
  const z = deviationsFor(confidence);
  const p = hits / total;
  const whole = 1 + (z * z) / total;
  const middle = (p + (z * z) / (2 * total)) / whole;
  const reach = (z / whole) * Math.sqrt((p * (1 - p)) / total + (z * z) / (4 * total * total));
  return { low: hits === 0 ? 0 : Math.max(0, middle - reach), high: hits === total ? 1 : Math.min(1, middle + reach) };
};

/**
 * Clopper's and Pearson's: never below its confidence, whatever is true. For what must not be claimed by chance: one failure of ten
 * is no proof of more than 1 % here, and is one by Wilson.
 */
export const exactInterval: ShareInterval = ({ hits, total }, confidence) => {
  const tail = (1 - confidence) / 2;
  return {
    low: hits === 0 ? 0 : rising((p) => 1 - atMost(hits - 1, total, p), tail),
    high: hits === total ? 1 : rising((p) => 1 - atMost(hits, total, p), 1 - tail),
  };
};

/** Where in [0, 1] a function that rises comes to `value`. */
function rising(of: (p: number) => number, value: number): number {
  let [low, high] = [0, 1];
  for (let n = 0; n < 60; n++) {
    const middle = (low + high) / 2;
    if (of(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
