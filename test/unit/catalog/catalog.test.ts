import assert from 'node:assert/strict';
import test from 'node:test';
import type { Catalog, GatewayRecord, RecordStore } from '../../../control/catalog/index.ts';
import { createCatalog } from '../../../control/catalog/index.ts';
import { MeshError } from '../../../core/errors.ts';
import type { ServiceRecord } from '../../../core/model/index.ts';
import { clusterId, networkId, serviceKey, sourceId } from '../../../core/model/index.ts';
import type { RegistryEvent } from '../../../core/registry/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { ScriptedSource } from '../../fakes/scripted-source.ts';
import { endpoint, service } from '../../support/mesh-records.ts';
import { until } from '../../support/until.ts';

const east = clusterId('east');
const west = clusterId('west');
const consul = sourceId('consul/dc1');
const orders = serviceKey('shop', 'orders');
const claims = ['*'];

const snapshot = (...services: ServiceRecord[]): RegistryEvent => ({ kind: 'snapshot', services, cursor: '1' });
const upsert = (record: ServiceRecord): RegistryEvent => ({ kind: 'upsert', service: record, cursor: '2' });
const stale: RegistryEvent = { kind: 'stale', error: new MeshError('REGISTRY_UNREACHABLE', 'connection refused') };
const gateway = (address: string): GatewayRecord => ({
  cluster: west,
  network: networkId('west-net'),
  instance: 'gw-1',
  addresses: [address],
  port: 15443,
  healthy: true,
  draining: false,
});

interface Running {
  readonly catalog: Catalog;
  readonly clock: ManualClock;
  readonly problems: string[];
}

async function running(store: RecordStore, body: (r: Running) => Promise<void>, clock = new ManualClock(), expireAfterMs = 3_600_000) {
  const problems: string[] = [];
  const catalog = createCatalog({ cluster: east, store, clock, expireAfterMs, onProblem: (p) => problems.push(p) });
  await catalog.start(new AbortController().signal);
  try {
    await body({ catalog, clock, problems });
  } finally {
    await catalog.dispose();
  }
}

function advanceUntil(clock: ManualClock, stepMs: number, what: string, holds: () => boolean) {
  return until(what, () => {
    clock.advance(stepMs);
    return holds();
  });
}

const instances = (catalog: Catalog) =>
  catalog
    .current()
    .services.get(orders)
    ?.endpoints.map((e) => `${e.cluster}/${e.instance}:${e.state}`);
const stateOf = (catalog: Catalog, source = consul) => catalog.status().find((s) => s.source === source);

test('a restarted control plane serves what was persisted, as stale with its age, until the first full snapshot sweeps it', async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  await running(
    store,
    async ({ catalog }) => {
      const source = new ScriptedSource(consul);
      catalog.addSource(source, { claims });
      source.say(snapshot(service('shop/orders', [endpoint('a')]), service('shop/old', [endpoint('o')])));
      await until('the snapshot', () => instances(catalog)?.length === 1);
    },
    clock,
  );
  clock.advance(5_000);
  await running(
    store,
    async ({ catalog }) => {
      assert.equal(catalog.current().services.size, 0);
      const source = new ScriptedSource(consul);
      catalog.addSource(source, { claims });
      assert.deepEqual(instances(catalog), ['east/a:stale']);
      const status = stateOf(catalog);
      assert.deepEqual([status?.state, status?.restored, status?.ageMs], ['stale', true, 5_000]);
      source.say(stale);
      await until('the registry is known to be down', () => stateOf(catalog)?.error === 'connection refused');
      assert.deepEqual(instances(catalog), ['east/a:stale']);
      source.say(snapshot(service('shop/orders', [endpoint('b')])));
      await until('the resync', () => instances(catalog)?.[0] === 'east/b:live');
      assert.equal(catalog.current().services.has(serviceKey('shop', 'old')), false);
      await catalog.flush();
      assert.deepEqual(store.keys('catalog/records/'), ['catalog/records/east/consul%2Fdc1/shop/orders']);
    },
    clock,
  );
});

test('a restart makes no service younger: the oldest, whose ports win, is the same as before', async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const seen = (createdAt: number) => service('shop/orders', [endpoint('a')], { createdAt });
  const ofWest = service('shop/orders', [endpoint('w')], { createdAt: 2_000, ports: [{ name: 'http', port: 81, protocol: 'http' }] });
  const life = async (events: readonly RegistryEvent[], westSays: ServiceRecord, ports: readonly number[]) =>
    running(
      store,
      async ({ catalog }) => {
        const source = new ScriptedSource(consul);
        catalog.addSource(source, { claims });
        catalog.addPeer(west, ['*']);
        catalog.applyPeer(west, consul, snapshot(westSays));
        source.say(...events);
        await until('all is taken', () => source.taken === events.length && stateOf(catalog)?.state === 'live');
        assert.deepEqual(
          catalog
            .current()
            .services.get(orders)
            ?.contributions.map((c) => c.ports[0]?.port),
          ports,
        );
        await catalog.flush();
      },
      clock,
    );
  await life([snapshot(seen(1_000))], ofWest, [80, 81]);
  await life([snapshot(seen(9_000))], ofWest, [80, 81]);
  await life([snapshot(seen(9_000)), upsert(seen(9_500))], ofWest, [80, 81]);
  // A peer's own word counts, and a service that went and came is a new one.
  await life([snapshot(seen(9_000)), snapshot(), snapshot(seen(9_900))], { ...ofWest, createdAt: 3_000 }, [81, 80]);
});

test('a source that never synced is unknown, says why, and contributes nothing', async () => {
  await running(new MemoryStore(), async ({ catalog }) => {
    const source = new ScriptedSource(consul);
    catalog.addSource(source, { claims });
    assert.deepEqual([stateOf(catalog)?.state, stateOf(catalog)?.ageMs], ['unknown', undefined]);
    source.say(stale);
    await until('the reason', () => stateOf(catalog)?.error === 'connection refused');
    assert.equal(stateOf(catalog)?.state, 'unknown');
  });
});

test('a lost source keeps its endpoints until they expire, on disk too, and returns whole', async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const body = async ({ catalog }: Running) => {
    const source = new ScriptedSource(consul);
    catalog.addSource(source, { claims });
    source.say(snapshot(service('shop/orders', [endpoint('a')])), stale);
    await until('the loss', () => stateOf(catalog)?.state === 'stale');
    clock.advance(9_000);
    assert.deepEqual(instances(catalog), ['east/a:stale']);
    assert.equal(stateOf(catalog)?.ageMs, 9_000);
    await advanceUntil(clock, 500, 'a tick', () => stateOf(catalog)?.state === 'expired');
    assert.equal(catalog.current().services.size, 0);
    await catalog.flush();
    assert.deepEqual(store.keys(), []);
    source.say(snapshot(service('shop/orders', [endpoint('a')])));
    await until('the return', () => instances(catalog)?.[0] === 'east/a:live');
  };
  await running(store, body, clock, 10_000);
});

test('replacing a connection keeps its endpoints until the new one has synced, and the old one says nothing more', async () => {
  await running(new MemoryStore(), async ({ catalog }) => {
    const before = new ScriptedSource(consul);
    catalog.addSource(before, { claims });
    before.say(snapshot(service('shop/orders', [endpoint('a')])));
    await until('the first', () => instances(catalog)?.length === 1);
    const after = new ScriptedSource(consul);
    catalog.addSource(after, { claims });
    assert.deepEqual(instances(catalog), ['east/a:live']);
    before.say(snapshot());
    await until('the old watch ends', () => before.watching === 0);
    assert.deepEqual(instances(catalog), ['east/a:live']);
    after.say(snapshot(service('shop/orders', [endpoint('b')])));
    await until('the new one', () => instances(catalog)?.[0] === 'east/b:live');
  });
});

test('removing a source or a peer purges it at once, from disk too, and late words change nothing', async () => {
  const store = new MemoryStore();
  await running(store, async ({ catalog }) => {
    const source = new ScriptedSource(consul);
    catalog.addSource(source, { claims });
    source.say(snapshot(service('shop/orders', [endpoint('a')])));
    catalog.addPeer(west, ['*']);
    catalog.applyPeer(west, consul, snapshot(service('shop/orders', [endpoint('w')])));
    catalog.setGateways(west, [gateway('192.0.2.1')]);
    await until('both', () => instances(catalog)?.length === 1 || instances(catalog)?.length === 2);
    await catalog.removeSource(consul);
    await catalog.removePeer(west);
    assert.equal(source.watching, 0);
    assert.equal(catalog.current().services.size + catalog.current().gateways.size + catalog.current().sources.length, 0);
    catalog.applyPeer(west, consul, snapshot(service('shop/orders', [endpoint('w')])));
    catalog.setGateways(west, [gateway('192.0.2.1')]);
    assert.equal(catalog.current().services.size + catalog.current().gateways.size, 0);
    await catalog.flush();
    assert.deepEqual(store.keys(), []);
  });
});

test("a lost peer's services stand as stale, its gateways too, through a restart; its return resyncs", async () => {
  const store = new MemoryStore();
  await running(store, async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    catalog.applyPeer(west, consul, snapshot(service('shop/orders', [endpoint('w', { network: 'west-net' })])));
    catalog.setGateways(west, [gateway('192.0.2.1')]);
    catalog.peerLost(west, 'no heartbeat for 5 s');
    assert.deepEqual(instances(catalog), ['west/w:stale']);
  });
  await running(store, async ({ catalog, clock }) => {
    catalog.addPeer(west, ['*']);
    assert.deepEqual(instances(catalog), ['west/w:stale']);
    assert.deepEqual(catalog.current().gateways.get(networkId('west-net'))?.[0]?.addresses, ['192.0.2.1']);
    catalog.confirmPeer(west, consul, 10);
    assert.deepEqual(instances(catalog), ['west/w:stale'], 'what was only read from disk is not confirmed by a heartbeat');
    catalog.applyPeer(west, consul, snapshot(service('shop/orders', [endpoint('w2', { network: 'west-net' })])));
    assert.deepEqual(instances(catalog), ['west/w2:live']);
    clock.advance(700);
    catalog.confirmPeer(west, consul, 300);
    clock.advance(50);
    assert.equal(stateOf(catalog)?.ageMs, 350);
  });
});

test('a change touches what it names and shares the rest', async () => {
  await running(new MemoryStore(), async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    const many = Array.from({ length: 500 }, (_, i) => service(`shop/s${i}`, [endpoint('a')]));
    catalog.applyPeer(west, consul, snapshot(...many));
    const before = catalog.current();
    const stop = new AbortController();
    const changes = catalog.changes(stop.signal)[Symbol.asyncIterator]();
    assert.equal((await changes.next()).value?.services.size, 500);
    catalog.applyPeer(west, consul, upsert(service('shop/s7', [endpoint('a', { health: 'unhealthy' })])));
    const { value } = await changes.next();
    assert.deepEqual([...(value?.services ?? [])], ['shop/s7']);
    const after = catalog.current();
    const differing = [...after.services].filter(([key, s]) => before.services.get(key) !== s);
    assert.deepEqual(
      differing.map(([key]) => key),
      ['shop/s7'],
    );
    catalog.applyPeer(west, consul, upsert(service('shop/s7', [endpoint('a', { health: 'unhealthy' })])));
    assert.equal(catalog.current().services.get(serviceKey('shop', 's7')), after.services.get(serviceKey('shop', 's7')));
    stop.abort();
    assert.equal((await changes.next()).done, true);
  });
});

test('a slow reader gets the union of what it missed, in one change', async () => {
  await running(new MemoryStore(), async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    const stop = new AbortController();
    const changes = catalog.changes(stop.signal)[Symbol.asyncIterator]();
    await changes.next();
    for (const name of ['a', 'b', 'c']) {
      catalog.applyPeer(west, sourceId(name), snapshot(service(`shop/${name}`, [])));
      catalog.current();
    }
    catalog.dropPeerSource(west, sourceId('b'));
    catalog.setGateways(west, [gateway('192.0.2.1')]);
    await Promise.resolve();
    const { value } = await changes.next();
    assert.deepEqual([...(value?.services ?? [])].sort(), ['shop/a', 'shop/b', 'shop/c']);
    assert.deepEqual([...(value?.gateways ?? [])], ['west-net']);
    assert.equal(value?.view, catalog.current());
    stop.abort();
  });
});

test('a store that cannot be written holds no source back, and gets everything when it returns', async () => {
  const store = new MemoryStore();
  await running(store, async ({ catalog, clock, problems }) => {
    store.broken = true;
    const source = new ScriptedSource(consul);
    catalog.addSource(source, { claims });
    const many = Array.from({ length: 6_000 }, (_, i) => service(`shop/s${i}`, []));
    source.say(snapshot(...many), upsert(service('shop/late', [])));
    await until('the late one is served', () => catalog.current().services.has(serviceKey('shop', 'late')));
    await assert.rejects(catalog.flush(), { code: 'STORE_UNAVAILABLE' });
    assert.equal(problems.length, 1);
    store.broken = false;
    await advanceUntil(clock, 5_000, 'the writer', () => store.keys('catalog/records/').length === 6_001);
    assert.ok(Math.max(...store.txns) <= 128);
  });
});

test('a source is held back while writes lag too far behind', async () => {
  const store = new MemoryStore();
  await running(store, async ({ catalog }) => {
    let open: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const source = new ScriptedSource(consul);
    catalog.addSource(source, { claims });
    source.say(snapshot(...Array.from({ length: 6_000 }, (_, i) => service(`shop/s${i}`, []))), upsert(service('shop/late', [])));
    await until('the snapshot', () => catalog.current().services.size === 6_000);
    assert.equal(source.taken, 1);
    store.gate = undefined;
    open();
    await until('the rest', () => catalog.current().services.size === 6_001);
  });
});

test('what is persisted and cannot be read is left out, reported, and hurts nothing else', async () => {
  const store = new MemoryStore();
  const value = Buffer.from('\0{"half": ');
  await running(store, async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    catalog.applyPeer(west, consul, snapshot(service('shop/orders', [endpoint('w')]), service('shop/pay', [endpoint('p')])));
  });
  await store.txn({ if: [], then: [{ op: 'put', key: 'catalog/records/west/consul%2Fdc1/shop/pay', value }] });
  await running(store, async ({ catalog, problems }) => {
    catalog.addPeer(west, ['*']);
    assert.deepEqual([...catalog.current().services.keys()], ['shop/orders']);
    assert.match(problems[0] ?? '', /shop\/pay cannot be read/);
  });
});

test('a service with thousands of endpoints is persisted whole', async () => {
  const store = new MemoryStore();
  const endpoints = Array.from({ length: 10_000 }, (_, i) =>
    endpoint(`pod-${i}`, { address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }),
  );
  await running(store, async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    catalog.applyPeer(west, consul, snapshot(service('shop/orders', endpoints)));
  });
  await running(store, async ({ catalog, problems }) => {
    catalog.addPeer(west, ['*']);
    assert.equal(catalog.current().services.get(orders)?.endpoints.length, 10_000);
    assert.deepEqual(problems, []);
  });
});

test('what is persisted of sources that are no longer configured is forgotten when asked', async () => {
  const store = new MemoryStore();
  await running(store, async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    catalog.addPeer(clusterId('north'), ['*']);
    for (const peer of [west, clusterId('north')]) catalog.applyPeer(peer, consul, snapshot(service('shop/orders', [endpoint(peer)])));
  });
  await running(store, async ({ catalog }) => {
    catalog.addPeer(west, ['*']);
    await catalog.forgetUnconfigured();
    assert.deepEqual(store.keys(), ['catalog/records/west/consul%2Fdc1/shop/orders', 'catalog/shards/west/consul%2Fdc1']);
    assert.deepEqual(instances(catalog), ['west/west:stale']);
  });
});

test("an adapter that throws or ends is its own source's failure, and is tried again", async () => {
  await running(new MemoryStore(), async ({ catalog, clock }) => {
    const source = new ScriptedSource(consul);
    catalog.addSource(source, { claims });
    source.say(snapshot(service('shop/orders', [endpoint('a')])), new Error('bug in adapter'));
    await until('the failure', () => stateOf(catalog)?.state === 'stale');
    assert.match(stateOf(catalog)?.error ?? '', /consul\/dc1 broke off: bug in adapter/);
    assert.deepEqual(instances(catalog), ['east/a:stale']);
    source.say(snapshot(service('shop/orders', [endpoint('b')])));
    await advanceUntil(clock, 1_000, 'another watch', () => instances(catalog)?.[0] === 'east/b:live');
  });
});
