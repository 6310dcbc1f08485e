import type { Interval, Share, ShareInterval } from './share.ts';

/**
 * By how much the first share is above the second (Newcombe 1998, method 10, where `of` is Wilson's; as careful as `of` is in general): the distances of
 * the two intervals' ends are added as squares.
 */
export function differenceInterval(first: Share, second: Share, confidence: number, of: ShareInterval): Interval {
  const [p, q] = [first.hits / first.total, second.hits / second.total];
  const [a, b] = [of(first, confidence), of(second, confidence)];
  return { low: p - q - Math.hypot(p - a.low, b.high - q), high: p - q + Math.hypot(a.high - p, q - b.low) };
}
