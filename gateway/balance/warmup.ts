import type { Warmup } from '../../core/traffic/index.ts';

/** The factor on the weight of an endpoint that was first seen `ageMs` ago (Envoy docs, "Slow start mode"). Pure. */
export function warmupFactor({ durationMs, minPercent, aggression }: Warmup, ageMs: number): number {
  if (ageMs >= durationMs) return 1;
  // Envoy counts in whole seconds and never less than one.
  const passed = Math.min(1, Math.max(ageMs, 1_000) / durationMs);
  return Math.max(minPercent / 100, passed ** (1 / aggression));
}

/** Of what was away for less, nothing is held back: its connections stand, or are opened in no time. */
const minAwayMs = 1_000;
const maxReturnMs = 10_000;

/**
 * How an endpoint takes its share again that was not to be used for `awayMs`: for as long as it was away, 10 s at most, it grows from a
 * tenth. By the cluster's own warm-up, where it has one. Undefined: at once. Pure.
 */
export function returnOf(own: Warmup | undefined, awayMs: number): Warmup | undefined {
  if (awayMs < minAwayMs) return undefined;
  return own ?? { durationMs: Math.min(maxReturnMs, awayMs), minPercent: 10, aggression: 1 };
}
