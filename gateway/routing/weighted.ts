/** Picks by weight; `random` in [0, 1). Undefined: all weights are 0. */
export function pickWeighted<T extends { readonly weight: number }>(choices: readonly T[], random: number): T | undefined {
  if (choices.length === 1) return choices[0];
  let total = 0;
  for (const { weight } of choices) total += weight;
  let left = random * total;
  for (const choice of choices) {
    left -= choice.weight;
    if (left < 0) return choice;
  }
  return undefined;
}

/** Whether a share of `percent` (0-100) is hit; `random` in [0, 1). */
export function hits(percent: number, random: number): boolean {
  return random * 100 < percent;
}
