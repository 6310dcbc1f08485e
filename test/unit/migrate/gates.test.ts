import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExternalValue } from '../../../control/migrate/contract.ts';
import { evaluateGates, type GateView, type Window } from '../../../control/migrate/gates/index.ts';
import type { GateStatus } from '../../../core/admin/index.ts';
import type { MigrationGate } from '../../../core/config/index.ts';
import { livePlaces, noCounts, requests } from '../../support/migration-machine-scene.ts';

const nothing: Window = { elapsedMs: 15_000, from: noCounts, to: noCounts };

function view(changes: Partial<GateView> = {}): GateView {
  return {
    confidence: 0.95,
    intervalMs: 15_000,
    weight: 25,
    interval: nothing,
    step: { elapsedMs: 60_000, from: requests(3_000), to: requests(1_000) },
    quietMs: 0,
    places: { from: livePlaces, to: livePlaces },
    proxies: { callers: 3, silent: [], behind: [], missing: [], known: [] },
    external: new Map(),
    ...changes,
  };
}

function one(gate: MigrationGate, of: GateView): GateStatus {
  const [status] = evaluateGates([gate], of);
  assert.ok(status !== undefined);
  return status;
}

const errors: MigrationGate = { name: 'errors', type: 'error-rate', max: 0.01 };
const step = (to = requests(1_000), from = requests(3_000)): Window => ({ elapsedMs: 60_000, from, to });

test('an error rate passes with as many requests as prove it, and waits with one less', () => {
  assert.equal(one(errors, view({ step: step(requests(299)) })).verdict, 'pass');
  const short = one(errors, view({ step: step(requests(298)) }));
  assert.equal(short.verdict, 'wait');
  assert.equal(short.needed, 299);
  assert.match(short.reason, /0 % of 298 .*299 are needed/);
  assert.equal(one({ ...errors, minSamples: 50 }, view({ step: step(requests(50)) })).verdict, 'pass');
});

test('one failure of a few is no proof, and many are, whatever the number that was asked for', () => {
  assert.equal(one(errors, view({ step: step(requests(10, 20, 1)) })).verdict, 'wait');
  const broken = one(errors, view({ step: step(requests(50, 20, 5)) }));
  assert.equal(broken.verdict, 'breach');
  assert.match(
    broken.reason,
    /10 % of 50 requests and connections since the step began failed, more than 1 %: at least 3\.\d+ % at 95 % confidence/,
  );
  assert.equal(broken.limit, '≤ 1 %');
});

test('more than the limit that may be chance is neither passed nor broken', () => {
  const status = one(errors, view({ step: step(requests(400, 20, 6)) }));
  assert.equal(status.verdict, 'wait');
  assert.match(status.reason, /may be chance/);
});

test('what broke in the last interval is a breach, however good the step was before', () => {
  const good = step(requests(100_000));
  const interval = { elapsedMs: 15_000, from: requests(100), to: requests(60, 20, 30) };
  const status = one(errors, view({ step: good, interval }));
  assert.equal(status.verdict, 'breach');
  assert.match(status.reason, /50 % of 60 .* in the last interval/);
});

test('connections that could not be made are failures as requests are', () => {
  const to = { ...noCounts, connections: 400, connectionErrors: 100 };
  const status = one(errors, view({ step: step(to) }));
  assert.equal(status.verdict, 'breach');
  assert.equal(status.value, 0.25);
});

test('an increase is above the old side at the same time, and above its baseline once it has no traffic', () => {
  const gate: MigrationGate = { ...errors, max: 0.2, maxIncrease: 0.01 };
  const both = one(gate, view({ step: step(requests(1_000, 20, 50), requests(3_000, 20, 150)) }));
  assert.equal(both.verdict, 'pass');
  assert.equal(both.compared, 0.05);
  const worse = one(gate, view({ step: step(requests(1_000, 20, 100), requests(3_000, 20, 150)) }));
  assert.equal(worse.verdict, 'breach');
  assert.match(worse.reason, /5 points more than the old side's 5 % of 3000/);
  const baseline = {
    requests: 5_000,
    connections: 0,
    errors: 10,
    p50: 1,
    p90: 1,
    p99: 1,
    inFlight: 1,
    latency: [],
    capacityPerEndpoint: 1,
  };
  const alone = one(gate, view({ weight: 100, baseline, step: step(requests(1_000, 20, 100), noCounts) }));
  assert.equal(alone.verdict, 'breach');
  assert.equal(alone.compared, 0.002);
  assert.equal(one(gate, view({ step: step(requests(1_000), noCounts) })).verdict, 'no-data');
});

const latency: MigrationGate = { name: 'latency', type: 'latency', percentile: 99, maxMs: 100 };

test('a percentile waits for the samples that its estimate needs, passes below its limit and breaks above it', () => {
  const short = one(latency, view({ step: step(requests(298, 20)) }));
  assert.deepEqual([short.verdict, short.needed], ['wait', 299]);
  assert.equal(one(latency, view({ step: step(requests(299, 20)) })).verdict, 'pass');
  const slow = one(latency, view({ step: step(requests(1_000, 400)) }));
  assert.equal(slow.verdict, 'breach');
  assert.match(
    slow.reason,
    /p99 of 1000 requests since the step began is 4\d\d ms, more than 100 ms: at least 3\d\d ms at 95 % confidence/,
  );
});

test('four times as slow as the old side is a breach, against it or, where it has no traffic, against its baseline', () => {
  const gate: MigrationGate = { name: 'ratio', type: 'latency', percentile: 90, maxRatio: 1.5 };
  const now = one(gate, view({ step: step(requests(500, 80), requests(500, 20)) }));
  assert.equal(now.verdict, 'breach');
  assert.match(now.reason, /4 times the old side's, more than 1\.5/);
  const base = requests(500, 20);
  const baseline = {
    requests: 500,
    connections: 0,
    errors: 0,
    p50: 1,
    p90: 1,
    p99: 1,
    inFlight: 1,
    latency: [...base.latency],
    capacityPerEndpoint: 1,
  };
  assert.equal(one(gate, view({ weight: 100, baseline, step: step(requests(500, 80), noCounts) })).verdict, 'breach');
  assert.equal(one(gate, view({ weight: 100, baseline, step: step(requests(500, 21), noCounts) })).verdict, 'pass');
  assert.equal(one(gate, view({ weight: 100, step: step(requests(500, 80), noCounts) })).verdict, 'no-data');
});

test('too little traffic to both is no data, over the step or, beyond chance, in the last interval', () => {
  const gate: MigrationGate = { name: 'rate', type: 'request-rate', min: 10 };
  const interval = (count: number): Window => ({ elapsedMs: 15_000, from: requests(count), to: noCounts });
  assert.equal(one(gate, view({ interval: interval(150) })).verdict, 'pass');
  assert.equal(one(gate, view({ interval: interval(140) })).verdict, 'pass');
  assert.equal(one(gate, view({ interval: interval(20) })).verdict, 'no-data');
  assert.equal(one(gate, view({ interval: interval(150), step: step(requests(100), requests(100)) })).verdict, 'no-data');
});

test('saturation is requests at once for each healthy endpoint, against what one of the old side carried', () => {
  const gate: MigrationGate = { name: 'load', type: 'saturation', max: 0.8 };
  const baseline = { requests: 5_000, connections: 0, errors: 0, p50: 1, p90: 1, p99: 1, inFlight: 8, latency: [], capacityPerEndpoint: 4 };
  // 1,200 requests of 200 ms in a minute: 4 at once.
  const four = step(requests(1_200, 200));
  const spread = one(gate, view({ baseline, step: four }));
  assert.deepEqual([spread.verdict, spread.value, spread.compared], ['pass', 0.5, 4]);
  const alone = view({ baseline, step: four, places: { from: livePlaces, to: { ...livePlaces, healthy: 1 } } });
  assert.equal(one(gate, alone).verdict, 'breach');
  assert.equal(one(gate, { ...alone, places: { from: livePlaces, to: { ...livePlaces, healthy: 0 } } }).verdict, 'no-data');
  assert.equal(one(gate, view({ step: four })).verdict, 'no-data');
});

test('Prometheus and hooks: limits are inclusive, and whatever is not an answer is no data', () => {
  const query: MigrationGate = { name: 'q', type: 'prometheus', url: 'http://p', query: 'x', min: 1, max: 5, timeoutMs: 1_000 };
  const hook: MigrationGate = { name: 'q', type: 'http', url: 'http://h', timeoutMs: 1_000 };
  const say = (gate: MigrationGate, answer?: ExternalValue) =>
    one(gate, view({ external: answer === undefined ? new Map() : new Map([['q', answer]]) })).verdict;
  assert.equal(say(query, { kind: 'value', value: 5 }), 'pass');
  assert.equal(say(query, { kind: 'value', value: 1 }), 'pass');
  assert.equal(say(query, { kind: 'value', value: 5.1 }), 'breach');
  assert.equal(say(query, { kind: 'value', value: 0 }), 'breach');
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) assert.equal(say(query, { kind: 'value', value }), 'no-data');
  for (const gate of [query, hook]) {
    assert.equal(say(gate), 'no-data');
    assert.equal(say(gate, { kind: 'no-data', reason: 'gone' }), 'no-data');
    assert.equal(say(gate, { kind: 'breach', reason: 'no' }), 'breach');
  }
  assert.equal(say(hook, { kind: 'pass', reason: 'ok' }), 'pass');
  assert.equal(say(hook, { kind: 'value', value: 1 }), 'no-data');
});

const unknowns: readonly { what: string; changes: Partial<GateView>; why: RegExp }[] = [
  { what: 'no request since the step began', changes: { step: step(noCounts) }, why: /no request/ },
  {
    what: 'a caller that does not report',
    changes: { proxies: { callers: 2, silent: ['vm-1'], behind: [], missing: [], known: [] } },
    why: /no report came from vm-1/,
  },
  {
    what: 'a client that has not heard',
    changes: { proxies: { callers: 2, silent: [], behind: ['a', 'b', 'c', 'd'], missing: [], known: [] } },
    why: /a, b, c and 1 more/,
  },
  {
    what: 'a caller that nobody could tell',
    changes: { proxies: { callers: 2, silent: [], behind: [], missing: ['vm-1'], known: [] } },
    why: /could not be told to vm-1/,
  },
  {
    what: 'a stale new side',
    changes: { places: { from: livePlaces, to: { ...livePlaces, state: 'stale' } } },
    why: /new side's registry is stale/,
  },
  {
    what: 'an old side never seen',
    changes: { places: { from: { ...livePlaces, state: 'unknown' }, to: livePlaces } },
    why: /old side's registry is unknown/,
  },
  {
    what: 'requests that stopped',
    changes: { quietMs: 20_000 },
    why: /no request or connection to the new side for 20 s, where 25 a second came before/,
  },
];

for (const { what, changes, why } of unknowns) {
  test(`${what} is no data, and a proven breach stands nevertheless`, () => {
    const status = one(errors, view(changes));
    assert.equal(status.verdict, 'no-data');
    assert.match(status.reason, why);
    const bad = { elapsedMs: 15_000, from: noCounts, to: requests(100, 20, 60) };
    assert.equal(one(errors, view({ ...changes, interval: bad })).verdict, 'breach');
  });
}

test('a service that is seldom called may be quiet for as long as chance explains', () => {
  const seldom: GateView = view({ step: { elapsedMs: 600_000, from: requests(600), to: requests(20) }, quietMs: 40_000 });
  assert.equal(one({ ...errors, minSamples: 20 }, seldom).verdict, 'pass');
  assert.equal(one({ ...errors, minSamples: 20 }, { ...seldom, quietMs: 120_000 }).verdict, 'no-data');
});

test('what others are asked does not wait for reports of proxies', () => {
  const hook: MigrationGate = { name: 'q', type: 'http', url: 'http://h', timeoutMs: 1_000 };
  const external = new Map<string, ExternalValue>([['q', { kind: 'pass', reason: 'ok' }]]);
  assert.equal(one(hook, view({ external, proxies: { callers: 1, silent: ['x'], behind: [], missing: [], known: [] } })).verdict, 'pass');
  assert.equal(
    one(hook, view({ external, proxies: { callers: 1, silent: [], behind: ['x'], missing: [], known: [] } })).verdict,
    'no-data',
  );
  assert.equal(
    one(hook, view({ external, proxies: { callers: 1, silent: [], behind: [], missing: ['x'], known: [] } })).verdict,
    'no-data',
  );
});
