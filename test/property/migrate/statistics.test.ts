import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  differenceInterval,
  exactInterval,
  percentileInterval,
  percentileRatio,
  samplesToProve,
  wilsonInterval,
} from '../../../control/migrate/statistics/index.ts';
import { latencyBucket, latencyQuantile } from '../../../core/telemetry/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const random = seededRandom(20_261_121);
const rounds = 1_500;

function hits(total: number, p: number): number {
  let count = 0;
  for (let n = 0; n < total; n++) if (random() < p) count += 1;
  return count;
}

/** Share of the rounds for which it holds. */
function share(holds: () => boolean): number {
  let count = 0;
  for (let n = 0; n < rounds; n++) if (holds()) count += 1;
  return count / rounds;
}

/** Log-normal, with a median of `median` ms. */
function durations(count: number, median: number): Map<number, number> {
  const histogram = new Map<number, number>();
  for (let n = 0; n < count; n++) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const bucket = latencyBucket(median * Math.exp(0.5 * normal));
    histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1);
  }
  return histogram;
}

/** Of that distribution: its normal quantiles are in every table. */
const quantileOf = (median: number, normal: number) => median * Math.exp(0.5 * normal);

test("exact intervals hold what is true as often as they say, Wilson's nearly, for shares from rare to even", () => {
  for (const [total, p] of [
    [20, 0.5],
    [100, 0.01],
    [300, 0.01],
    [1_000, 0.03],
  ] as const) {
    const exact = share(() => {
      const { low, high } = exactInterval({ hits: hits(total, p), total }, 0.95);
      return low <= p && p <= high;
    });
    assert.ok(exact >= 0.94, `exact: ${exact} of ${total} at ${p}`);
    const wilson = share(() => {
      const { low, high } = wilsonInterval({ hits: hits(total, p), total }, 0.95);
      return low <= p && p <= high;
    });
    assert.ok(wilson >= 0.91, `Wilson: ${wilson} of ${total} at ${p}`);
  }
});

test('a limit that is kept is called broken less often than the confidence allows, with any number of requests', () => {
  for (const total of [1, 3, 10, 50, 299]) {
    const alarms = share(() => exactInterval({ hits: hits(total, 0.01), total }, 0.95).low > 0.01);
    assert.ok(alarms <= 0.035, `${alarms} of ${total}`);
  }
});

test('intervals of a difference hold it as often as they say', () => {
  for (const of of [wilsonInterval, exactInterval]) {
    const held = share(() => {
      const found = differenceInterval({ hits: hits(200, 0.05), total: 200 }, { hits: hits(900, 0.02), total: 900 }, 0.95, of);
      return found.low <= 0.03 && 0.03 <= found.high;
    });
    assert.ok(held >= 0.93, `${held}`);
  }
});

test('intervals of percentiles hold them as often as they say', () => {
  for (const [count, q, normal] of [
    [40, 0.5, 0],
    [400, 0.9, 1.2815515655],
    [600, 0.99, 2.326347874],
  ] as const) {
    const held = share(() => {
      const { low, high } = percentileInterval(durations(count, 20), q, 0.95);
      const truth = quantileOf(20, normal);
      return low <= truth && truth <= high;
    });
    assert.ok(held >= 0.93, `p${q * 100} of ${count}: ${held}`);
  }
});

test('intervals of a ratio of percentiles hold it as often as they say', () => {
  const held = share(() => {
    const ratio = percentileRatio(durations(150, 40), durations(600, 20), 0.9, 0.95);
    return ratio !== undefined && ratio.low <= 2 && 2 <= ratio.high;
  });
  assert.ok(held >= 0.93, `${held}`);
});

const trials = fc.integer({ min: 1, max: 5_000 }).chain((total) => fc.record({ total: fc.constant(total), hits: fc.nat({ max: total }) }));
const confidence = fc.double({ min: 0.55, max: 0.999, noNaN: true });

test('an interval holds what was seen, lies in [0, 1], and is wider the surer it is', () => {
  fc.assert(
    fc.property(trials, confidence, (seen, sure) => {
      for (const of of [wilsonInterval, exactInterval]) {
        const [less, more] = [of(seen, sure), of(seen, (1 + sure) / 2)];
        const p = seen.hits / seen.total;
        assert.ok(0 <= less.low && less.low <= p + 1e-12 && p <= less.high + 1e-12 && less.high <= 1);
        assert.ok(more.low <= less.low + 1e-12 && less.high <= more.high + 1e-12);
      }
    }),
  );
});

test('one failure more moves both ends of an interval up, never down', () => {
  fc.assert(
    fc.property(trials, confidence, ({ hits: seen, total }, sure) => {
      fc.pre(seen < total);
      for (const of of [wilsonInterval, exactInterval]) {
        const [before, after] = [of({ hits: seen, total }, sure), of({ hits: seen + 1, total }, sure)];
        assert.ok(before.low <= after.low + 1e-12 && before.high <= after.high + 1e-12);
      }
    }),
  );
});

test('so many trials without a failure, and not one less, prove a limit', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.0005, max: 0.9, noNaN: true }), confidence, (limit, sure) => {
      const n = samplesToProve(limit, sure);
      assert.ok((1 - limit) ** n <= 1 - sure + 1e-9);
      assert.ok(n === 1 || (1 - limit) ** (n - 1) > 1 - sure - 1e-9);
    }),
  );
});

const histogram = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 30 })
  .map((pairs) => new Map(pairs));

test('an interval of a percentile holds its estimate, and rises with the percentile', () => {
  fc.assert(
    fc.property(histogram, fc.double({ min: 0.05, max: 0.9, noNaN: true }), confidence, (seen, q, sure) => {
      const found = percentileInterval(seen, q, sure);
      const estimate = latencyQuantile(seen, q) ?? Number.NaN;
      assert.ok(found.low <= estimate + 1e-9 && estimate <= found.high + 1e-9);
      const higher = percentileInterval(seen, q + 0.05, sure);
      assert.ok(found.low <= higher.low && found.high <= higher.high);
    }),
  );
});
