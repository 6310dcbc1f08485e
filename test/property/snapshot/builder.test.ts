import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { CatalogView } from '../../../control/catalog/index.ts';
import type { CatalogInput } from '../../../control/catalog/reducer.ts';
import { callerPolicies } from '../../../control/policy/index.ts';
import type { ClientClass, EndpointIr, Resource, Snapshot, SnapshotInputs } from '../../../control/snapshot/index.ts';
import { createSnapshotBuilder, noTraffic, resourceKinds } from '../../../control/snapshot/index.ts';
import type { LocalityPolicy } from '../../../core/config/index.ts';
import type { ServiceRecord } from '../../../core/model/index.ts';
import { clusterId, networkId, parseLocality, serviceKey, sourceId } from '../../../core/model/index.ts';
import { historyOf } from '../../support/mesh-history.ts';
import { endpoint, service } from '../../support/mesh-records.ts';
import { clusterOf, gatewaySketch, routingTo, type TrafficSketch, trafficModel } from '../../support/traffic-sketch.ts';

const east = clusterId('east');
const west = clusterId('west');
const networks = ['east-net', 'edge-net', 'west-net'];
const localities = ['', 'eu/a', 'eu/b', 'us/c'];
const clients: ClientClass[] = [
  ...networks.flatMap((n) => (['agent', 'gateway'] as const).map((kind) => ({ kind, network: networkId(n) }))),
  ...localities.slice(1).map((locality) => ({ kind: 'agent', network: networkId('east-net'), locality }) as const),
  { kind: 'ingress', network: networkId('edge-net'), labels: { istio: 'ingress' } },
];
/** An address tells its network, so that a raw one on the wrong side shows. */
const addressIn = (network: string, i: number) => `10.${networks.indexOf(network)}.0.${i}`;

const anEndpoint = fc
  .record({
    i: fc.integer({ min: 1, max: 5 }),
    network: fc.constantFrom(...networks),
    health: fc.constantFrom('healthy' as const, 'healthy' as const, 'unhealthy' as const, 'draining' as const, 'unknown' as const),
    weight: fc.integer({ min: 0, max: 7 }),
    tlsMode: fc.constantFrom('mesh' as const, 'none' as const),
    serviceAccount: fc.constantFrom('orders', 'orders-v2'),
    version: fc.constantFrom('v1', 'v2'),
    locality: fc.constantFrom(...localities),
  })
  .map(({ i, network, version, locality, ...rest }) =>
    endpoint(`i${i}`, { network, address: addressIn(network, i), labels: { version }, locality: parseLocality(locality), ...rest }),
  );
const aService: fc.Arbitrary<ServiceRecord> = fc
  .tuple(fc.constantFrom('shop/orders', 'shop/pay'), fc.array(anEndpoint, { maxLength: 6 }))
  .map(([name, endpoints]) => service(name, endpoints));
const anEvent: fc.Arbitrary<CatalogInput> = fc
  .tuple(fc.constantFrom(east, west), fc.constantFrom('consul', 'vm'), fc.uniqueArray(aService, { selector: (s) => s.name, maxLength: 2 }))
  .map(([cluster, id, services]) => ({
    kind: 'event',
    cluster,
    source: sourceId(id),
    event: { kind: 'snapshot', services, cursor: '' },
    at: 0,
  }));
const lostPeer: CatalogInput = { kind: 'lost', cluster: west, reason: 'cut', at: 0 };
const someGateways: fc.Arbitrary<CatalogInput> = fc
  .tuple(
    fc.constantFrom(east, west),
    fc.array(fc.tuple(fc.constantFrom(...networks), fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean()), { maxLength: 4 }),
  )
  .map(([cluster, list]) => ({
    kind: 'gateways',
    cluster,
    gateways: list.map(([network, n, healthy, draining], i) => ({
      cluster,
      network: networkId(network),
      instance: `gw-${i}`,
      addresses: Array.from({ length: n }, (_, a) => `192.0.${cluster === east ? 2 : 3}.${i * 10 + a}`),
      port: 15443,
      healthy,
      draining,
    })),
  }));
const history = fc
  .array(
    fc.oneof({ weight: 5, arbitrary: anEvent }, { weight: 2, arbitrary: someGateways }, { weight: 1, arbitrary: fc.constant(lostPeer) }),
    { maxLength: 15 },
  )
  .map((steps): CatalogInput[] => {
    const scope = { claims: ['*'], identityNamespaces: ['*'] };
    return [
      { kind: 'add-source', source: sourceId('consul'), scope, at: 0 },
      { kind: 'add-source', source: sourceId('vm'), scope, at: 0 },
      { kind: 'add-peer', cluster: west, scope },
      ...steps,
    ];
  });

const aPolicy: fc.Arbitrary<LocalityPolicy> = fc.record({
  enabled: fc.boolean(),
  distribute: fc.constantFrom([], [{ from: '*', to: { 'eu/*': 70, 'us/*': 30 } }], [{ from: 'eu/a', to: { 'eu/a': 1, eu: 98, '*': 1 } }]),
  failover: fc.constantFrom([], [{ from: 'eu', to: 'us' }]),
  failoverPriority: fc.constantFrom([], ['topology.kubernetes.io/region', 'version=v2'], ['topology.istio.io/network']),
});
const names = ['shop/orders', 'shop/pay'];
const aCluster = fc.tuple(fc.constantFrom(...names), fc.constantFrom('', 'v1')).map(([name, subset]) => clusterOf(name, subset, 80));
const aSketch: fc.Arbitrary<TrafficSketch> = fc
  .tuple(
    fc.option(fc.dictionary(aCluster, fc.integer({ min: 1, max: 99 }), { minKeys: 1, maxKeys: 3 }), { nil: undefined }),
    fc.subarray(['v1', 'v2']),
    fc.option(aPolicy, { nil: undefined }),
  )
  .map(([shares, subsets, locality]) => ({
    port: 80,
    ...(shares === undefined ? {} : { routing: { 80: routingTo(shares) } }),
    subsets: subsets.map((name) => ({ name, labels: { version: name } })),
    ...(locality === undefined ? {} : { policy: { locality } }),
  }));
/** What is said at each step of a history; undefined: as before. */
const rules = fc.option(
  fc.tuple(
    fc.dictionary(fc.constantFrom(...names), aSketch, { maxKeys: 2 }),
    fc
      .uniqueArray(fc.constantFrom(...names), { maxLength: 2 })
      .map((list) => list.map((name) => gatewaySketch(name, 80, routingTo({}), [name]))),
  ),
  { nil: undefined },
);

const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
const fixed: Omit<SnapshotInputs, 'view'> = {
  hostSuffix: 'mesh.internal',
  trust: { trustDomain: 'mesh.test', roots: [Buffer.from('root')], intermediates: [], deniedSerials: [] },
  policies,
  traffic: noTraffic,
  gatewayPorts: [{ service: serviceKey('shop', 'orders'), port: 80, gatewayPort: 16_000 }],
  originateCidrs: ['10.0.0.0/8'],
};

function contents(snapshot: Snapshot) {
  const versions = resourceKinds.map((kind) => [...snapshot.resources[kind].values()].map((r) => `${kind} ${r.name} ${r.version}`).sort());
  return { version: snapshot.version, versions };
}

function built(view: CatalogView, client: ClientClass, traffic = fixed.traffic) {
  const builder = createSnapshotBuilder();
  builder.update({ ...fixed, view, traffic });
  return builder.snapshot(client);
}

test('after any history the incremental snapshot is the one built from scratch, to the version', () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.boolean()), fc.infiniteStream(rules), (inputs, looks, said) => {
      const builder = createSnapshotBuilder();
      const [look, say] = [looks[Symbol.iterator](), said[Symbol.iterator]()];
      const steps = historyOf(inputs);
      let traffic = trafficModel({});
      for (const [i, { view, services }] of steps.entries()) {
        const next = say.next().value;
        if (next !== undefined) traffic = trafficModel(next[0], next[1], traffic);
        // Rules change alone, too.
        if (look.next().value) builder.update({ ...fixed, view, traffic }, i === 0 ? undefined : services);
        else {
          builder.update({ ...fixed, view, traffic: builder.inputs()?.traffic ?? trafficModel({}) }, i === 0 ? undefined : services);
          builder.update({ ...fixed, view, traffic }, new Set());
        }
        // Some classes look often, some seldom.
        for (const client of clients) if (look.next().value) builder.snapshot(client);
      }
      const last = steps.at(-1);
      assert.ok(last);
      for (const client of clients) {
        assert.deepEqual(contents(builder.snapshot(client)), contents(built(last.view, client, traffic)), JSON.stringify(client));
      }
      assert.equal(builder.faults().size, 0);
    }),
    { numRuns: 150 },
  );
});

test('what any client is told: contiguous priorities, no raw address of another network, mTLS to every gateway, live before stale', () => {
  fc.assert(
    fc.property(history, (inputs) => {
      const view = historyOf(inputs).at(-1)?.view;
      assert.ok(view);
      for (const client of clients) {
        const assignments: Iterable<Resource<'endpoints'>> = built(view, client).resources.endpoints.values();
        for (const { name, value } of assignments) {
          const priorities = [...new Set(value.endpoints.map((e) => e.priority))];
          assert.deepEqual(
            priorities,
            priorities.map((_, i) => i),
            name,
          );
          const ranks = value.endpoints.map((e) => e.stale);
          assert.ok(ranks.indexOf(true) === -1 || !ranks.slice(ranks.indexOf(true)).includes(false), 'stale is last');
          for (const e of value.endpoints) {
            if (!e.viaGateway)
              assert.ok(e.network === client.network && e.address === addressIn(client.network, Number(e.address.split('.')[3])));
            if (e.viaGateway) assert.ok(e.tls !== undefined && e.network !== client.network && e.address.startsWith('192.0.'));
            if (e.tls !== undefined) assert.ok(e.tls.uriSans.length > 0 && e.tls.clusterSan === `${e.cluster}.cluster.mesh.test`);
            if (e.draining) assert.equal(e.weight, 0);
            if (name.startsWith('local|'))
              assert.ok(e.cluster === 'east' && e.tls === undefined, 'a gateway leads into its own cluster and network only');
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});

function byGroup(endpoints: readonly EndpointIr[]): ReadonlyMap<string, readonly EndpointIr[]> {
  const groups = new Map<string, EndpointIr[]>();
  for (const e of endpoints) {
    const mode = e.tls?.sni.includes('_.gateway_.') ? 'none' : 'mesh';
    const group = `${e.cluster} ${e.network} ${mode} ${e.stale ? 'stale' : 'live'}`;
    groups.set(group, [...(groups.get(group) ?? []), e]);
  }
  return groups;
}

test('a caller gives each (cluster, network) behind gateways its exact share of the healthy backends', () => {
  fc.assert(
    fc.property(history, (inputs) => {
      const view = historyOf(inputs).at(-1)?.view;
      assert.ok(view);
      const snapshot = built(view, { kind: 'agent', network: networkId('nowhere') });
      for (const merged of view.services.values()) {
        const assignment = snapshot.resources.endpoints.get(`outbound|80||${merged.name}.${merged.namespace}.mesh.internal`);
        const there = merged.endpoints.filter((e) => e.ports['http'] !== undefined);
        const anyHealthy = there.some((e) => e.health === 'healthy');
        const usable = there.filter((e) => e.health === 'healthy' || (e.health === 'unknown' && !anyHealthy));
        const groups = new Map<string, { given: bigint; due: bigint }[]>();
        for (const [group, list] of byGroup(assignment?.value.endpoints ?? [])) {
          const [cluster, network, mode, state] = group.split(' ');
          const backends = usable.filter((e) => e.cluster === cluster && e.network === network && e.tlsMode === mode && e.state === state);
          const due = backends.reduce((sum, e) => sum + BigInt(e.weight), 0n);
          const given = list.reduce((sum, e) => sum + BigInt(e.weight), 0n);
          const priority = String(list[0]?.priority);
          groups.set(priority, [...(groups.get(priority) ?? []), { given, due }]);
        }
        for (const level of groups.values()) for (const a of level) for (const b of level) assert.equal(a.given * b.due, b.given * a.due);
      }
    }),
    { numRuns: 150 },
  );
});
