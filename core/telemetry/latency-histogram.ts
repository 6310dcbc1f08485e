/** Buckets of a factor 2^(1/8) from 1/16 ms to 2^21 ms (35 min): a quantile is off by 9 % at most. Fixed, so that any two can be added. */
const perOctave = 8;
const zero = 4 * perOctave;
export const lastLatencyBucket = 25 * perOctave;

/** Bucket → how many. Sparse. */
export type LatencyHistogram = Map<number, number>;

/** Of a duration in ms; what is out of range, or no number, is in the first or last. */
export function latencyBucket(ms: number): number {
  if (!(ms > 0)) return 0;
  return Math.min(lastLatencyBucket, Math.max(0, Math.floor(perOctave * Math.log2(ms)) + zero));
}

/** ms; undefined where nothing was counted. `q` in [0, 1]. Linear within a bucket. */
export function latencyQuantile(histogram: ReadonlyMap<number, number>, q: number): number | undefined {
  const buckets = [...histogram].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, n]) => sum + n, 0);
  const wanted = q * total;
  let before = 0;
  for (const [bucket, n] of buckets) {
    if (before + n >= wanted) {
      const [low, high] = [latencyBucketStart(bucket), latencyBucketStart(bucket + 1)];
      return low + (high - low) * ((wanted - before) / n);
    }
    before += n;
  }
  return undefined;
}

/** The shortest duration in it, ms. */
export function latencyBucketStart(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** ((bucket - zero) / perOctave);
}
