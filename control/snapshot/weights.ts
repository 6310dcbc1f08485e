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
  return integers(groups.map((g) => (g.weight * multiple) / Math.max(1, g.addresses)));
}

/** What one locality has of what `distribute` gives to a pattern that it matches. */
export interface LocalityShare {
  /** Equal for localities that share one `weight`. */
  readonly pattern: string;
  /** Of the pattern, relative to those of other patterns. */
  readonly weight: number;
  /** Of its endpoints: localities of one pattern share in proportion. */
  readonly endpoints: number;
}

/** Integer weight for each locality: each pattern has exactly its share, as far as `shareWeights` is exact. */
export function localityWeights(shares: readonly LocalityShare[]): readonly number[] {
  const totals = new Map<string, number>();
  for (const { pattern, endpoints } of shares) totals.set(pattern, (totals.get(pattern) ?? 0) + endpoints);
  const used = [...totals.values()].filter((total) => total > 0);
  const common = used.every(Number.isInteger) ? used.reduce(lcm, 1) : 1;
  // Past that, products are no longer whole numbers.
  const multiple = common < largest ? common : 1;
  return integers(
    shares.map(({ pattern, weight, endpoints }) => {
      const total = totals.get(pattern) ?? 0;
      return total === 0 ? 0 : (weight * endpoints * multiple) / total;
    }),
  );
}

/** In proportion, with nothing above 0 becoming 0. */
function integers(raw: readonly number[]): readonly number[] {
  const divisor = raw.every(Number.isInteger) ? raw.filter((w) => w > 0).reduce(gcd, 0) || 1 : 1;
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
