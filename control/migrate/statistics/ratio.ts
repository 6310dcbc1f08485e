import { latencyQuantile } from '../../../core/telemetry/index.ts';
import { percentileInterval } from './percentile.ts';
import type { Interval } from './share.ts';

/** How many times the second's q-quantile the first's is. */
export interface PercentileRatio extends Interval {
  readonly estimate: number;
}

/**
 * The intervals of both are joined on the scale of logarithms, where a ratio is a difference, as Newcombe joins those of shares. Undefined where either
 * has nothing, or the second's is 0.
 */
export function percentileRatio(
  first: ReadonlyMap<number, number>,
  second: ReadonlyMap<number, number>,
  q: number,
  confidence: number,
): PercentileRatio | undefined {
  const [p, r] = [latencyQuantile(first, q), latencyQuantile(second, q)];
  if (p === undefined || r === undefined || r <= 0 || p <= 0) return undefined;
  const [a, b] = [percentileInterval(first, q, confidence), percentileInterval(second, q, confidence)];
  const estimate = p / r;
  return {
    estimate,
    low: estimate * Math.exp(-Math.hypot(Math.log(p / a.low), Math.log(b.high / r))),
    high: estimate * Math.exp(Math.hypot(Math.log(a.high / p), Math.log(r / b.low))),
  };
}
