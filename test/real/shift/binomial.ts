/** The fewest and the most of `n` that are not less likely than `tail` on either side, where each is one with probability `p`. Exact. */
export function binomialBounds(n: number, p: number, tail: number): readonly [least: number, most: number] {
  if (p <= 0) return [0, 0];
  if (p >= 1) return [n, n];
  const chances: number[] = [];
  let log = n * Math.log(1 - p);
  for (let k = 0; k <= n; k++) {
    chances.push(Math.exp(log));
    log += Math.log(n - k) - Math.log(k + 1) + Math.log(p) - Math.log(1 - p);
  }
  let least = 0;
  for (let below = chances[0] ?? 0; below < tail; below += chances[least] ?? 1) least += 1;
  let most = n;
  for (let above = chances[n] ?? 0; above < tail; above += chances[most] ?? 1) most -= 1;
  return [least, most];
}
