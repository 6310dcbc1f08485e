import type { SideFigures } from '../../core/admin/index.ts';
import { latencyQuantile } from '../../core/telemetry/index.ts';
import type { SideCounts } from './contract.ts';

/** What one side did between two looks. Sums that fell (another meter counts now) are nothing, never less than nothing. */
export function countsBetween(before: SideCounts, after: SideCounts): SideCounts {
  const latency = new Map<number, number>();
  for (const [bucket, n] of after.latency) {
    const more = n - (before.latency.get(bucket) ?? 0);
    if (more > 0) latency.set(bucket, more);
  }
  const rise = (key: Exclude<keyof SideCounts, 'latency'>) => Math.max(0, after[key] - before[key]);
  return {
    requests: rise('requests'),
    errors: rise('errors'),
    connections: rise('connections'),
    connectionErrors: rise('connectionErrors'),
    latencySumMs: rise('latencySumMs'),
    latency,
  };
}

/** Requests and byte streams: each either failed or did not. */
export function trialsOf({ requests, connections }: SideCounts): number {
  return requests + connections;
}

export function failuresOf({ errors, connectionErrors }: SideCounts): number {
  return errors + connectionErrors;
}

/** Requests at once, on average, by Little's law: the time that all took, over the time in which they ended. */
export function inFlightOf({ requests, latencySumMs }: SideCounts, elapsedMs: number): number | null {
  return requests === 0 || elapsedMs <= 0 ? null : latencySumMs / elapsedMs;
}

export function figuresOf(counts: SideCounts, elapsedMs: number): SideFigures {
  const percentile = (q: number) => latencyQuantile(counts.latency, q) ?? null;
  return {
    requests: counts.requests,
    connections: counts.connections,
    errors: failuresOf(counts),
    p50: percentile(0.5),
    p90: percentile(0.9),
    p99: percentile(0.99),
    inFlight: inFlightOf(counts, elapsedMs),
  };
}
