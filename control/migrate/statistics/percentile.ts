import { lastLatencyBucket, latencyBucketStart } from '../../../core/telemetry/index.ts';
import { atMost } from './binomial.ts';
import type { Interval } from './share.ts';

/**
 * Where the q-quantile lies of what the durations in `histogram` are a sample of, in ms: between two of the sorted durations, by the binomial
 * distribution alone, whatever they are distributed like. As the buckets know only where a duration lies between, it is that much wider.
 * `low` is 0, and `high` infinite, where there are too few to say.
 */
export function percentileInterval(histogram: ReadonlyMap<number, number>, q: number, confidence: number): Interval {
  const buckets = [...histogram].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, n]) => sum + n, 0);
  const tail = (1 - confidence) / 2;
  // At most `below` durations are under the quantile but for chance, and at least `above` not over it.
  const below = firstWhere(total + 1, (k) => atMost(k, total, q) > tail);
  const above = firstWhere(total + 1, (k) => atMost(k, total, q) >= 1 - tail) + 1;
  return {
    low: below === 0 ? 0 : latencyBucketStart(bucketOfRank(buckets, below)),
    high: above > total ? Number.POSITIVE_INFINITY : endOf(bucketOfRank(buckets, above)),
  };
}

function endOf(bucket: number): number {
  return bucket >= lastLatencyBucket ? Number.POSITIVE_INFINITY : latencyBucketStart(bucket + 1);
}

/** The first of 0..count-1 for which it holds, where it holds for all after the first; `count`: for none. */
function firstWhere(count: number, holds: (k: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** `rank` from 1. */
function bucketOfRank(buckets: readonly (readonly [number, number])[], rank: number): number {
  let seen = 0;
  for (const [bucket, n] of buckets) {
    seen += n;
    if (seen >= rank) return bucket;
  }
  return lastLatencyBucket;
}
