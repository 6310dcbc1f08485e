import { hash32 } from '../balance/hash.ts';

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

/** Another than that of hash tables, where a cluster's sessions would else be those of a part of the table alone. */
const seed = 0x9747b28c;

/** For `pickWeighted`, of what a session is known by: in [0, 1), the same in every proxy of ours. */
export function placeOf(session: string): number {
  return hash32(session, seed) / 2 ** 32;
}

/** Whether a share of `percent` (0-100) is hit; `random` in [0, 1). */
export function hits(percent: number, random: number): boolean {
  return random * 100 < percent;
}
