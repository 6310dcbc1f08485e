import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { TrafficKey } from '../../../control/telemetry/traffic/contract.ts';
import { TrafficStore } from '../../../control/telemetry/traffic/index.ts';
import { noCounts, noGroup } from '../../../core/telemetry/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

function key(route: string, reporter: TrafficKey['reporter'] = 'source'): TrafficKey {
  const destination = { namespace: 'shop', name: 'pay', host: 'pay.shop.mesh.internal', port: 80, subset: '' };
  return { reporter, source: { principal: 'td/ns/shop/sa/web', cluster: 'east' }, route, destination, group: noGroup };
}

function requests(n: number) {
  return { ...noCounts(), requests: n, codes: new Map([[200, n]]), latency: new Map([[40, n]]) };
}

const total = (store: TrafficStore, sinceMs = 3_600_000) => store.flows(sinceMs).reduce((sum, f) => sum + f.counts.requests, 0);

test('counts of one key add up over slots, and each is gone an hour later', async () => {
  const clock = new ManualClock();
  await clock.advance(10_000_000);
  const store = new TrafficStore(clock);
  for (let minute = 0; minute < 60; minute++) {
    store.add(key('a'), requests(10), 'p');
    await clock.advance(60_000);
  }
  assert.equal(total(store), 600);
  assert.equal(total(store, 5 * 60_000), 50);
  await clock.advance(30 * 60_000);
  assert.equal(total(store), 300);
  await clock.advance(31 * 60_000);
  assert.deepEqual(store.flows(3_600_000), []);
  assert.equal(store.stats().keys, 0);
  assert.equal(store.stats().bytes, 0);
});

test('what comes late is counted where it belongs, and what is too old not at all', async () => {
  const clock = new ManualClock();
  await clock.advance(10_000_000);
  const store = new TrafficStore(clock);
  store.add(key('a'), requests(1), 'p');
  store.add(key('a'), requests(2), 'p', 120_000);
  store.add(key('a'), requests(4), 'p', 120_000);
  store.add(key('a'), requests(100), 'p', 2 * 3_600_000);
  assert.equal(total(store, 60_000), 1);
  assert.equal(total(store), 7);
});

test('beyond the number of keys the least recent are counted together: no request is lost, names are', async () => {
  const clock = new ManualClock();
  await clock.advance(10_000_000);
  const store = new TrafficStore(clock, { keys: 100, keysOfReporter: 1_000 });
  for (let i = 0; i < 500; i++) {
    store.add(key(`route ${i}`), requests(3), `p${i % 7}`);
    if (i % 50 === 0) await clock.advance(30_000);
  }
  const flows = store.flows(3_600_000);
  assert.equal(store.stats().keys <= 100, true);
  assert.equal(total(store), 1_500);
  assert.equal(flows.filter((f) => f.folded).length, 1);
  assert.equal(
    flows.some((f) => f.key.route === 'route 499'),
    true,
  );
  assert.equal(
    flows.some((f) => f.key.route === 'route 0'),
    false,
  );
  assert.equal(store.stats().folded > 400, true);
});

test('one reporter of many names does not crowd out the others', () => {
  const store = new TrafficStore(new ManualClock(), { keys: 100, keysOfReporter: 20 });
  store.add(key('kept', 'destination'), requests(1), 'quiet');
  for (let i = 0; i < 1_000; i++) store.add(key(`route ${i}`), requests(1), 'loud');
  assert.equal(
    store.flows(3_600_000).some((f) => f.key.route === 'kept'),
    true,
  );
  assert.equal(total(store), 1_001);
});

test('its estimate of bytes is a bound on what it really takes', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const clock = new ManualClock();
  await clock.advance(10_000_000);
  const bytes = 24 * 1024 * 1024;
  const store = new TrafficStore(clock, { bytes, keysOfReporter: 1_000_000 });
  const wide = { ...requests(1), latency: new Map(Array.from({ length: 40 }, (_, i) => [i, 1])) };
  gc();
  const before = process.memoryUsage();
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 8_000; i++) store.add(key(`route number ${i}`), wide, `p${i % 10}`);
    await clock.advance(30_000);
  }
  assert.equal(store.stats().bytes <= bytes, true);
  assert.equal(total(store), 32_000);
  gc();
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(grown < bytes, `${grown} bytes for an estimate of ${store.stats().bytes}`);
  assert.equal(total(store), 32_000);
});
