/**
 * Trials without a hit after which a share is proven, one-sided, not to be above `limit`: 299 for 1 % at 0.95. The same number of durations proves that
 * a percentile 1 - `limit` is not above the longest of them. Infinity for a limit of 0.
 */
export function samplesToProve(limit: number, confidence: number): number {
  if (limit <= 0) return Number.POSITIVE_INFINITY;
  if (limit >= 1) return 1;
  return Math.ceil(Math.log(1 - confidence) / Math.log1p(-limit) - 1e-9);
}
