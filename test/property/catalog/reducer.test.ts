import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { emptyView, nextView } from '../../../control/catalog/build-view.ts';
import type { CatalogView } from '../../../control/catalog/index.ts';
import type { CatalogInput, CatalogState } from '../../../control/catalog/reducer.ts';
import { initialState, reduce } from '../../../control/catalog/reducer.ts';
import { MeshError } from '../../../core/errors.ts';
import type { ClusterId, ServiceKey, ServiceRecord, SourceId } from '../../../core/model/index.ts';
import { clusterId, networkId, serviceKey, sourceId } from '../../../core/model/index.ts';
import { endpoint, service } from '../../support/mesh-records.ts';

const east = clusterId('east');
const peers = [clusterId('north'), clusterId('west')];
const sources = [sourceId('consul/dc1'), sourceId('vm')];
const scopes = [['*'], ['shop/*'], []].map((claims) => ({ claims, identityNamespaces: ['*'] }));
const names = ['shop/orders', 'shop/pay', 'bank/ledger'];

const anEndpoint = fc
  .record({
    instance: fc.constantFrom('a', 'b', 'c'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'draining' as const, 'unknown' as const),
    attested: fc.boolean(),
    network: fc.constantFrom('east-net', 'west-net'),
  })
  .map(({ instance, ...rest }) => endpoint(instance, rest));
const aService: fc.Arbitrary<ServiceRecord> = fc
  .tuple(fc.constantFrom(...names), fc.array(anEndpoint, { maxLength: 3 }), fc.constantFrom(80, 81), fc.constantFrom(1, 2))
  .map(([name, endpoints, port, createdAt]) => service(name, endpoints, { ports: [{ name: 'http', port, protocol: 'http' }], createdAt }));
const aPlace = fc.constantFrom<[ClusterId, SourceId]>(
  ...[east, ...peers].flatMap((c) => sources.map((s): [ClusterId, SourceId] => [c, s])),
);
const someServices = fc.uniqueArray(aService, { selector: (s) => `${s.namespace}/${s.name}`, maxLength: 3 });
const error = new MeshError('REGISTRY_UNREACHABLE', 'gone');

type Step = (at: number) => CatalogInput;
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(aPlace, someServices).map(
      ([[cluster, source], services]): Step =>
        (at) => ({ kind: 'event', cluster, source, event: { kind: 'snapshot', services, cursor: '' }, at }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(aPlace, aService).map(
      ([[cluster, source], s]): Step =>
        (at) => ({ kind: 'event', cluster, source, event: { kind: 'upsert', service: s, cursor: '' }, at }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(aPlace, fc.constantFrom(...names)).map(
      ([[cluster, source], id]): Step =>
        (at) => ({ kind: 'event', cluster, source, event: { kind: 'delete', id: id as ServiceKey, cursor: '' }, at }),
    ),
  },
  {
    weight: 2,
    arbitrary: aPlace.map(
      ([cluster, source]): Step =>
        (at) => ({ kind: 'event', cluster, source, event: { kind: 'stale', error }, at }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(aPlace, someServices).map(
      ([[cluster, source], services]): Step =>
        (at) => ({ kind: 'restore', cluster, source, services, ageMs: 5, at }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...sources), fc.constantFrom(...scopes)).map(
      ([source, scope]): Step =>
        (at) => ({ kind: 'add-source', source, scope, at }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...peers), fc.constantFrom(...scopes)).map(
      ([cluster, scope]): Step =>
        () => ({ kind: 'add-peer', cluster, scope }),
    ),
  },
  {
    weight: 1,
    arbitrary: aPlace.map(
      ([cluster, source]): Step =>
        () => ({ kind: 'drop-source', cluster, source }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...peers).map(
      (cluster): Step =>
        () => ({ kind: 'drop-peer', cluster }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...peers).map(
      (cluster): Step =>
        (at) => ({ kind: 'lost', cluster, reason: 'cut', at }),
    ),
  },
  {
    weight: 1,
    arbitrary: aPlace.map(
      ([cluster, source]): Step =>
        (at) => ({ kind: 'confirm', cluster, source, ageMs: 1, at }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(5, 50, 0).map(
      (expireAfterMs): Step =>
        (at) => ({ kind: 'tick', at, expireAfterMs }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(east, ...peers), fc.subarray(['g1', 'g2']), fc.constantFrom('east-net', 'west-net')).map(
      ([cluster, list, network]): Step =>
        () => ({
          kind: 'gateways',
          cluster,
          gateways: list.map((instance) => ({
            cluster,
            network: networkId(network),
            instance,
            addresses: ['192.0.2.1'],
            port: 15443,
            healthy: true,
            draining: false,
          })),
        }),
    ),
  },
);
const history = fc.array(aStep, { maxLength: 40 });

/** Revisions and history apart: everything a reader can see. */
function visible(view: CatalogView): unknown {
  const sorted = <K extends string, V>(map: ReadonlyMap<K, V>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return [sorted(view.services), sorted(view.local), sorted(view.withheld), sorted(view.gateways), view.sources];
}

function fromScratch(state: CatalogState): CatalogView {
  const all = new Set([...state.shards.values()].flatMap((s) => [...s.services.keys()]));
  const networks = new Set([...state.gateways.values()].flatMap((list) => list.map((g) => g.network)));
  return nextView(emptyView(state.cluster), state, all, networks).view;
}

test('after any history, what was kept up incrementally is what a build from scratch gives', () => {
  fc.assert(
    fc.property(history, (steps) => {
      let state = initialState(east);
      let view = emptyView(east);
      steps.forEach((step, at) => {
        const next = reduce(state, step(at));
        state = next.state;
        const before = view;
        const built = nextView(view, state, next.services, next.gateways);
        view = built.view;
        assert.deepEqual(visible(view), visible(fromScratch(state)));
        for (const key of new Set([...before.services.keys(), ...view.services.keys()])) {
          if (before.services.get(key) !== view.services.get(key)) assert.ok(built.services.has(key), `${key} changed unannounced`);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('what was known is emptied only by a full snapshot, a delete, an expiry or a removal, never by not knowing', () => {
  fc.assert(
    fc.property(history, (steps) => {
      let state = initialState(east);
      steps.forEach((step, at) => {
        const input = step(at);
        const before = state;
        state = reduce(state, input).state;
        const mayEmpty =
          ['drop-source', 'drop-peer', 'tick'].includes(input.kind) ||
          (input.kind === 'event' && (input.event.kind === 'snapshot' || input.event.kind === 'delete'));
        for (const [key, shard] of before.shards) {
          const after = state.shards.get(key);
          if (!mayEmpty)
            for (const name of shard.services.keys()) assert.ok(after?.services.has(name), `${key} lost ${name} by ${input.kind}`);
          if (after?.state === 'unknown') assert.equal(after.services.size, 0);
          if (shard.state !== 'unknown') assert.notEqual(after?.state, 'unknown', 'a source that was known is never unknown again');
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('events of different sources commute, and the order in which things are listed means nothing', () => {
  const streams = fc.array(fc.tuple(aPlace, fc.array(someServices, { minLength: 1, maxLength: 3 })), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(streams, fc.infiniteStream(fc.nat()), (all, choices) => {
      const byPlace = new Map(all.map(([[cluster, source], snapshots]) => [`${cluster}/${source}`, { cluster, source, snapshots }]));
      const start = [
        ...sources.map(
          (source): CatalogInput => ({ kind: 'add-source', source, scope: { claims: ['*'], identityNamespaces: ['*'] }, at: 0 }),
        ),
        ...peers.map((cluster): CatalogInput => ({ kind: 'add-peer', cluster, scope: { claims: ['*'], identityNamespaces: ['*'] } })),
      ];
      const run = (pick: (left: number) => number, flip: boolean) => {
        let state = start.reduce((s, input) => reduce(s, input).state, initialState(east));
        const queues = [...byPlace.values()].map((p) => ({ ...p, snapshots: [...p.snapshots] }));
        while (queues.length > 0) {
          const index = pick(queues.length);
          const queue = queues[index];
          const services = queue?.snapshots.shift();
          if (queue === undefined || services === undefined) {
            queues.splice(index, 1);
            continue;
          }
          const listed = flip ? services.map((s) => ({ ...s, endpoints: uniqueReversed(s) })).reverse() : services;
          const event = { kind: 'snapshot', services: listed, cursor: '' } as const;
          state = reduce(state, { kind: 'event', cluster: queue.cluster, source: queue.source, event, at: 0 }).state;
        }
        return visible(fromScratch(state));
      };
      const picks = choices[Symbol.iterator]();
      assert.deepEqual(
        run((left) => Number(picks.next().value) % left, true),
        run(() => 0, false),
      );
    }),
    { numRuns: 200 },
  );
});

/** The last of one instance counts, so only the order of distinct instances may be turned round. */
function uniqueReversed(s: ServiceRecord) {
  return [...new Map(s.endpoints.map((e) => [e.instance, e])).values()].reverse();
}

test('a restart from what was persisted shows the same names, ranked as stale', () => {
  fc.assert(
    fc.property(someServices, (services) => {
      const scope = { claims: ['*'], identityNamespaces: ['*'] };
      const add = (state: CatalogState) => reduce(state, { kind: 'add-source', source: sources[0] as SourceId, scope, at: 0 }).state;
      const event = { kind: 'snapshot', services, cursor: '' } as const;
      const before = reduce(add(initialState(east)), { kind: 'event', cluster: east, source: sources[0] as SourceId, event, at: 0 }).state;
      const kept = [...before.shards.values()].flatMap((s) => [...s.services.values()]);
      const restore = { kind: 'restore', cluster: east, source: sources[0] as SourceId, services: kept, ageMs: 0, at: 0 } as const;
      const after = reduce(add(initialState(east)), restore).state;
      const endpointsOf = (state: CatalogState) =>
        [...fromScratch(state).services.values()]
          .flatMap((s) => s.endpoints.map((e) => `${serviceKey(s.namespace, s.name)} ${e.key}`))
          .sort();
      assert.deepEqual(endpointsOf(after), endpointsOf(before));
      for (const s of fromScratch(after).services.values()) assert.ok(s.endpoints.every((e) => e.state === 'stale'));
    }),
  );
});
