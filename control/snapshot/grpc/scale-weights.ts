const largestTotal = 2 ** 32 - 1;

/** Totals past 32 bits are refused. None that was above 0 gets lost. */
export function scaleWeights(weights: readonly number[]): readonly number[] {
  const total = weights.reduce((a, b) => a + b, 0);
  if (total <= largestTotal) return weights;
  const factor = (largestTotal - weights.length) / total;
  return weights.map((w) => (w > 0 ? Math.max(1, Math.floor(w * factor)) : 0));
}
