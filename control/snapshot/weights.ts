/** Endpoints behind gateways: `weight` of all healthy backends there, spread evenly over `addresses`. */
export interface WeightedGroup {
  readonly weight: number;
  /** Gateway addresses, ≥ 1; 1 for an endpoint that is reached directly. */
  readonly addresses: number;
}

const largest = 2 ** 31;

/**
 * Integer weight for each address of each group, such that every group's total is exactly in proportion to its `weight`:
 * over gateways × zones nothing is lost to rounding (rounding to whole shares sent 0 to small groups). Fractions appear
 * only past 2^31, where the largest group is scaled to fit and none falls below 1.
 */
export function shareWeights(groups: readonly WeightedGroup[]): readonly number[] {
  const used = groups.filter((g) => g.weight > 0);
  if (used.length === 0) return groups.map(() => 0);
  const multiple = used.map((g) => g.addresses).reduce(lcm, 1);
  const raw = groups.map((g) => (g.weight * multiple) / Math.max(1, g.addresses));
  const divisor = raw.every(Number.isInteger) ? raw.filter((w) => w > 0).reduce(gcd, 0) : 1;
  const whole = raw.map((w) => w / divisor);
  const top = Math.max(...whole);
  const scale = top > largest ? largest / top : needsScaling(whole) ? Math.min(1000, largest / top) : 1;
  return whole.map((w) => (w > 0 ? Math.max(1, Math.round(w * scale)) : 0));
}

/** Registries may give fractional weights. */
function needsScaling(weights: readonly number[]): boolean {
  return weights.some((w) => !Number.isInteger(w));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function lcm(a: number, b: number): number {
  return (a / gcd(a, b)) * b;
}
