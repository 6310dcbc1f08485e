import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EngineCase, Figured, Figures } from '../../../bench/engines/engine-contract.ts';
import { besideLabel, reportsOf } from '../../../bench/engines/engine-reports.ts';
import { figureOf } from '../../../bench/measure.ts';
import { plotOf } from '../../../bench/plot.ts';

const seen = ['cpu', 'system', 'rate', 'p50', 'p99', 'p999', 'memory'] as const;
const all = (value: number): Figured => Object.fromEntries(seen.map((name) => [name, figureOf([value])])) as Figured;
const plan = { kind: 'passthrough', routes: 1 } as const;
const spec: EngineCase = {
  name: 'engines-test',
  about: '',
  title: 'test',
  plan,
  load: { kind: 'connect', atOnce: 1 },
  wanted: [
    { seen: 'cpu', name: 'CPU', unit: 's', scale: 1_000, atMost: { HAProxy: 0.85, Envoy: 0.5 } },
    { seen: 'p99', name: 'p99', unit: 'µs', asBest: true },
    { seen: 'rate', name: 'rate', unit: '/s', better: 'more' },
    { seen: 'memory', name: 'memory', unit: 'KB', atMostItself: 20 },
  ],
};
const lines = (figures: Figures, of = spec) => reportsOf(of, figures);

describe('engines in the bench', () => {
  test('each engine beside each peer that was measured; goals are of the native one alone', () => {
    const figures: Figures = new Map([
      ['native', all(8_400)],
      ['node', all(20_000)],
      ['HAProxy', all(10_000)],
      ['Envoy', all(16_000)],
    ]);
    const reports = lines(figures);
    assert.equal(reports.length, 2 * 4 * 2);
    const cpu = reports.filter(({ name }) => name === 'test, native: CPU');
    assert.deepEqual(
      cpu.map(({ ours, peer, theirs, goal, met }) => [ours, peer, theirs, goal, met]),
      [
        [8.4, 'HAProxy', 10, '<= 0.85x HAProxy', true],
        [8.4, 'Envoy', 16, '<= 0.5x Envoy', false],
      ],
    );
    assert.ok(reports.filter(({ name }) => name.includes('node')).every(({ goal }) => goal === null));
    const tail = reports.filter(({ name }) => name === 'test, native: p99').map(({ peer, goal, met }) => [peer, goal, met]);
    assert.deepEqual(tail, [
      ['HAProxy', '<= 1x the best peer', true],
      ['Envoy', null, null],
    ]);
    const memory = reports.find(({ name, goal }) => name === 'test, native: memory' && goal !== null);
    assert.deepEqual([memory?.goal, memory?.met], ['<= 20 KB', false]);
    assert.equal(reports.find(({ name }) => name === 'test, native: rate')?.ratio, 0.84);
  });

  test('an engine that is not built has no lines; one without peers stands alone', () => {
    const reports = lines(new Map([['node', all(1)]]));
    assert.deepEqual(new Set(reports.map(({ peer }) => peer)), new Set([null]));
    assert.equal(reports.length, spec.wanted.length);
  });

  test('an engine beside itself with another plan', () => {
    const beside = { label: 'without changes', plan, atMost: 1.1 };
    const figures: Figures = new Map([
      ['native', all(12)],
      [besideLabel('native', beside), all(10)],
    ]);
    const [first] = lines(figures, { ...spec, beside });
    assert.deepEqual([first?.peer, first?.goal, first?.met], ['native without changes', '<= 1.1x without changes', false]);
  });
});

test('a plot has every bar, in proportion, and no text that breaks it', () => {
  const bars = [
    { label: 'native', value: 5 },
    { label: '<peer> & co', value: 10 },
  ];
  const svg = plotOf([{ title: 'a < b', unit: 'µs', bars }], 'machine');
  const widths = [...svg.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
  assert.equal(widths.length, 2);
  assert.equal((widths[0] ?? 0) * 2, widths[1]);
  assert.match(svg, /&lt;peer&gt; &amp; co/);
  assert.match(svg, /a &lt; b/);
});
