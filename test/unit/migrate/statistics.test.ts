import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  differenceInterval,
  exactInterval,
  percentileInterval,
  percentileRatio,
  samplesToProve,
  wilsonInterval,
} from '../../../control/migrate/statistics/index.ts';
import { latencyBucketStart } from '../../../core/telemetry/index.ts';

function near(actual: number, wanted: number): void {
  assert.ok(Math.abs(actual - wanted) < 0.00006, `${actual} is not ${wanted}`);
}

// Newcombe, Two-sided confidence intervals for the single proportion (1998), table I.
test('intervals of a share are those that are published', () => {
  const table = [
    { hits: 81, total: 263, wilson: [0.2553, 0.3662], exact: [0.2527, 0.3676] },
    { hits: 15, total: 148, wilson: [0.0624, 0.1605], exact: [0.0578, 0.1617] },
    { hits: 0, total: 20, wilson: [0, 0.1611], exact: [0, 0.1684] },
    { hits: 1, total: 29, wilson: [0.0061, 0.1718], exact: [0.0009, 0.1776] },
    { hits: 29, total: 29, wilson: [0.883, 1], exact: [0.8806, 1] },
  ] as const;
  for (const { hits, total, wilson, exact } of table) {
    const [w, e] = [wilsonInterval({ hits, total }, 0.95), exactInterval({ hits, total }, 0.95)];
    near(w.low, wilson[0]);
    near(w.high, wilson[1]);
    near(e.low, exact[0]);
    near(e.high, exact[1]);
  }
});

// Newcombe, Interval estimation for the difference between independent proportions (1998), table II, method 10.
test('intervals of a difference are those that are published', () => {
  const table = [
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [10, 10, 0, 10, 0.6075, 1],
  ] as const;
  for (const [a, m, b, n, low, high] of table) {
    const found = differenceInterval({ hits: a, total: m }, { hits: b, total: n }, 0.95, wilsonInterval);
    near(found.low, low);
    near(found.high, high);
  }
});

test('an exact interval holds for many trials too: a share of millions is narrow about what was seen', () => {
  const { low, high } = exactInterval({ hits: 20_000, total: 2_000_000 }, 0.95);
  assert.ok(low > 0.00986 && low < 0.00987, `${low}`);
  assert.ok(high > 0.01013 && high < 0.01015, `${high}`);
});

test('as many trials without a failure prove a limit as the rule of three says, exactly', () => {
  assert.equal(samplesToProve(0.01, 0.95), 299);
  assert.equal(samplesToProve(0.05, 0.95), 59);
  assert.equal(samplesToProve(0.1, 0.95), 29);
  assert.equal(samplesToProve(0.01, 0.99), 459);
  assert.equal(samplesToProve(0.5, 0.875), 3);
  assert.equal(samplesToProve(0, 0.95), Number.POSITIVE_INFINITY);
  assert.equal(samplesToProve(1, 0.95), 1);
});

/** One duration in each bucket, so that ranks show. */
const ranks = (count: number) => new Map(Array.from({ length: count }, (_, i) => [i + 1, 1]));

test("a percentile lies between the sorted durations that the binomial distribution's table names", () => {
  const ofTen = percentileInterval(ranks(10), 0.5, 0.95);
  assert.deepEqual(ofTen, { low: latencyBucketStart(2), high: latencyBucketStart(10) });
  const ofHundred = percentileInterval(ranks(100), 0.5, 0.95);
  assert.deepEqual(ofHundred, { low: latencyBucketStart(40), high: latencyBucketStart(62) });
});

test('too few durations say nothing above, and none say nothing at all', () => {
  assert.equal(percentileInterval(ranks(100), 0.99, 0.95).high, Number.POSITIVE_INFINITY);
  assert.deepEqual(percentileInterval(new Map(), 0.99, 0.95), { low: 0, high: Number.POSITIVE_INFINITY });
  assert.equal(percentileInterval(new Map([[3, 5]]), 0.5, 0.95).low, 0);
});

test('two percentiles are compared with as much doubt as there is in both', () => {
  const many = new Map([
    [60, 5_000],
    [68, 5_000],
  ]);
  const twice = new Map([...many].map(([bucket, n]) => [bucket + 8, n]));
  const sure = percentileRatio(twice, many, 0.9, 0.95);
  assert.ok(sure !== undefined && Math.abs(sure.estimate - 2) < 1e-9 && sure.low > 1.7 && sure.high < 2.4, JSON.stringify(sure));
  const few = percentileRatio(new Map([[76, 10]]), new Map([[68, 10]]), 0.9, 0.95);
  assert.equal(few?.low, 0);
  assert.equal(percentileRatio(many, new Map(), 0.9, 0.95), undefined);
});
