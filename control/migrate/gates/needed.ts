import { samplesToProve } from '../statistics/index.ts';

const [fewest, most] = [20, 3_000];

/** How many samples a gate waits for: as many as prove its limit if none breaks it, unless it says. */
export function neededFor(limit: number, confidence: number, minSamples: number | undefined): number {
  return minSamples ?? Math.min(most, Math.max(fewest, samplesToProve(limit, confidence)));
}

/** A side with fewer is not compared with. */
export const fewestToCompare = fewest;
