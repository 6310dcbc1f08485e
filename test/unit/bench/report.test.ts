import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { alternate, costOf, figureOf, perCpuSecond, quantile } from '../../../bench/measure.ts';
import { parseBenchOptions } from '../../../bench/options.ts';
import { caseReport, formatJson, formatTable } from '../../../bench/report.ts';

/** Gives these values, one a round; the first is the round that is not counted. */
function scripted(name: string, values: readonly number[], order: string[]) {
  let turn = 0;
  return async () => {
    order.push(name);
    return { figure: values[turn++] ?? Number.NaN };
  };
}

describe('bench measuring', () => {
  test('contenders run in turn, the first round is not counted, the median is of the rest', async () => {
    const order: string[] = [];
    const ours = scripted('ours', [999, 10, 30, 20, 50, 40], order);
    const theirs = scripted('theirs', [999, 1, 2, 3, 4, 5], order);
    const figures = await alternate({ ours, theirs }, 5);
    assert.deepEqual(order, Array.from({ length: 6 }, () => ['ours', 'theirs']).flat());
    assert.deepEqual(figures.ours.figure, { median: 30, spread: 40 / 30, rounds: [10, 30, 20, 50, 40] });
    assert.equal(figures.theirs.figure.median, 3);
  });

  test('a median of fewer than five rounds is refused', async () => {
    await assert.rejects(alternate({ ours: scripted('ours', [], []) }, 4), RangeError);
  });

  test('quantiles lie between their neighbours', () => {
    assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
    assert.equal(quantile([7], 0.99), 7);
    assert.ok(Number.isNaN(quantile([], 0.5)));
  });

  test('CPU is counted beside time', async () => {
    const { cpuUs, wallUs } = await costOf(() => void Array.from({ length: 100_000 }, (_, i) => i ** 0.5));
    assert.ok(cpuUs >= 0 && wallUs > 0);
    assert.ok((await perCpuSecond(20, () => Array.from({ length: 1_000 }, (_, i) => i).length)) > 0);
  });
});

describe('bench report', () => {
  const fields = ['name', 'unit', 'ours', 'peer', 'theirs', 'ratio', 'spread', 'goal', 'met'];
  const ours = figureOf([9, 10, 11]);
  const goal = { text: 'not below the peer', met: (_ours: number, ratio: number) => ratio >= 1 };

  test('the JSON is {machine, cases}, each case with the stated fields in their order', async () => {
    const { tiny } = await alternate({ tiny: async () => ({ done: await perCpuSecond(5, () => 1) }) }, 5);
    const alone = caseReport({ name: 'tiny', unit: '/CPU-s', better: 'more', ours: tiny.done });
    const beside = caseReport({ name: 'beside', unit: 'µs', better: 'less', ours, peer: { name: 'other', figure: figureOf([20]) }, goal });
    const parsed = JSON.parse(formatJson({ machine: 'a machine', cases: [alone, beside] }));
    assert.deepEqual(Object.keys(parsed), ['machine', 'cases']);
    for (const each of parsed.cases) assert.deepEqual(Object.keys(each), fields);
    const { ours: figure, spread, ...rest } = parsed.cases[0];
    assert.ok(figure > 0 && spread >= 0);
    assert.deepEqual(rest, { name: 'tiny', unit: '/CPU-s', peer: null, theirs: null, ratio: null, goal: null, met: null });
    assert.deepEqual(parsed.cases[1], {
      name: 'beside',
      unit: 'µs',
      ours: 10,
      peer: 'other',
      theirs: 20,
      ratio: 2,
      spread: 0.2,
      goal: 'not below the peer',
      met: true,
    });
  });

  test('a ratio above 1 means ours is better, whichever way the unit counts; a goal that is missed says so', () => {
    const peer = { name: 'other', figure: figureOf([20]) };
    const more = caseReport({ name: 'slow', unit: '/s', better: 'more', ours, peer, goal });
    assert.deepEqual([more.ratio, more.met], [0.5, false]);
    assert.match(
      formatTable({ machine: 'm', cases: [more] }),
      /slow {2}10\.0 \/s {2}other {2}20\.0 {4}0\.50 {3}20 % {4}not below the peer: NOT MET/,
    );
  });
});

test('bench arguments: a case that does not exist is named with those that do', () => {
  const parsed = parseBenchOptions(['--quick', '--only', 'sign', '--only', 'nope'], ['sign', 'store']);
  assert.deepEqual(parsed, { ok: false, violations: [{ path: '--only', message: 'no case nope: one of sign, store' }] });
  assert.equal(parseBenchOptions(['--fast'], ['sign']).ok, false);
  assert.deepEqual(parseBenchOptions(['--json', 'out.json'], []), {
    ok: true,
    value: { help: false, quick: false, only: [], json: 'out.json' },
  });
});
