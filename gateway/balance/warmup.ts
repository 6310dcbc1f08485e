import type { Warmup } from '../../core/traffic/index.ts';

/** The factor on the weight of an endpoint that was first seen `ageMs` ago (Envoy docs, "Slow start mode"). Pure. */
export function warmupFactor({ durationMs, minPercent, aggression }: Warmup, ageMs: number): number {
  if (ageMs >= durationMs) return 1;
  // Envoy counts in whole seconds and never less than one.
  const passed = Math.min(1, Math.max(ageMs, 1_000) / durationMs);
  return Math.max(minPercent / 100, passed ** (1 / aggression));
}
