import assert from 'node:assert/strict';
import test from 'node:test';
import { createSnapshotBuilder, DialectResources, envoyDialect } from '../../../control/snapshot/index.ts';
import type { EndpointRecord } from '../../../core/model/index.ts';
import { Cluster, ClusterLoadAssignment, Listener } from '../../../core/xds/envoy/index.ts';
import { envoyOrder, envoyTypeUrls, noClaims, type ResourceSet } from '../../../core/xds/index.ts';
import { clientOf } from '../../support/client-class.ts';
import { sceneInputs } from '../../support/envoy-scene.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { endpoint, httpPort, service } from '../../support/mesh-records.ts';

const pki = new MeshPki();
const orders = 'outbound|80||orders.shop.mesh.internal';

/** The resources after each of these sets of endpoints of shop/orders, beside an untouched service, and what changed with the last. */
function history(sets: readonly (readonly EndpointRecord[])[], client = clientOf({ dialect: 'envoy', network: 'east-net' })) {
  const builder = createSnapshotBuilder();
  const resources = new DialectResources(builder, [envoyDialect]);
  const states: ResourceSet[] = [];
  const changed: string[] = [];
  const view = resources.view(client);
  view.subscribe((names) =>
    changed.push(...(names ?? []).flatMap((each) => each.names.map((name) => `${shortType(each.typeUrl)} ${name}`))),
  );
  for (const endpoints of sets) {
    changed.length = 0;
    const services = [service('shop/orders', endpoints), service('shop/other', [endpoint('x', { address: '10.9.9.9' })])];
    builder.update(sceneInputs(pki, { services }));
    resources.publish();
    const now = view.current();
    assert.ok(now !== undefined);
    states.push(new Map(envoyOrder.map((typeUrl) => [typeUrl, new Map(now.get(typeUrl))])));
  }
  return { states, changed };
}

const shortType = (typeUrl: string) => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
const clusterOf = (set: ResourceSet | undefined) => set?.get(envoyTypeUrls.cluster)?.get(orders);
const at = (instance: string, more: Parameters<typeof endpoint>[1] = {}) => endpoint(instance, { address: `10.0.0.${instance}`, ...more });

function placesOf(set: ResourceSet | undefined) {
  const value = set?.get(envoyTypeUrls.loadAssignment)?.get(orders)?.value ?? new Uint8Array();
  return ClusterLoadAssignment.decode(value).endpoints.flatMap((locality) =>
    locality.lbEndpoints.map(({ hostIdentifier, loadBalancingWeight }) => {
      const where = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
      const text = where?.$case === 'socketAddress' ? where.value.address : '';
      return `${locality.priority} ${text} ${loadBalancingWeight}`;
    }),
  );
}

test('an endpoint more changes the endpoints of its service and nothing else', () => {
  const { states, changed } = history([[at('1')], [at('1'), at('2')]]);
  assert.deepEqual(changed, [`ClusterLoadAssignment ${orders}`]);
  assert.equal(clusterOf(states[0])?.version, clusterOf(states[1])?.version);
  assert.deepEqual(placesOf(states[1]), ['0 10.0.0.1 1', '0 10.0.0.2 1']);
});

test('an endpoint that proves itself otherwise changes the xDS cluster too, and whoever is in no group is not connected to', () => {
  const { states, changed } = history([[at('1')], [at('1'), at('2', { serviceAccount: 'orders-v2' }), at('3', { tlsMode: 'none' })]]);
  assert.deepEqual(changed.sort(), [`Cluster ${orders}`, `ClusterLoadAssignment ${orders}`].sort());
  const cluster = Cluster.decode(clusterOf(states[1])?.value ?? new Uint8Array());
  const expected = ClusterLoadAssignment.decode(states[1]?.get(envoyTypeUrls.loadAssignment)?.get(orders)?.value ?? new Uint8Array());
  const wanted = expected.endpoints.flatMap((l) =>
    l.lbEndpoints.map((e) => e.metadata?.filterMetadata['envoy.transport_socket_match']?.['tls']),
  );
  assert.equal(new Set(wanted).size, 3);
  for (const group of wanted)
    assert.ok(
      cluster.transportSocketMatches.some((m) => m.match?.['tls'] === group),
      String(group),
    );
  assert.ok(cluster.transportSocket?.configType?.value?.typeUrl.endsWith('UpstreamTlsContext'));
});

test('draining endpoints are left out, and what is left has contiguous priorities', () => {
  const { states } = history([[at('1', { health: 'draining' }), at('2', { network: 'west-net' }), at('3', { weight: 7 })]]);
  assert.deepEqual(placesOf(states[0]), ['0 10.0.0.3 1']);
  assert.deepEqual(placesOf(history([[at('1', { health: 'draining' })]]).states[0]), []);
});

test('equal inputs make equal versions and bytes, whatever was there before', () => {
  const [direct] = history([[at('1'), at('2')]]).states;
  const [, , roundabout] = history([[at('2')], [], [at('1'), at('2')]]).states;
  for (const typeUrl of envoyOrder) {
    const text = (set: ResourceSet | undefined) =>
      [...(set?.get(typeUrl)?.values() ?? [])].map((r) => `${r.name} ${r.version} ${Buffer.from(r.value).toString('base64')}`).sort();
    assert.deepEqual(text(direct), text(roundabout), typeUrl);
  }
});

test('a listener that asks for the same service twice, or for one that is not there, does not spoil the rest', () => {
  const claim = { namespace: 'shop', name: 'orders', port: httpPort.port };
  const inbound = { ...claim, protocol: 'http' as const, address: '127.0.0.1', target: 1 };
  const client = clientOf({
    dialect: 'envoy',
    network: 'east-net',
    claims: {
      ...noClaims,
      inbound: { address: '0.0.0.0', port: 15_006, services: [inbound, { ...inbound, target: 2 }] },
      outbound: [
        { ...claim, address: '127.0.0.1', listen: 80 },
        { ...claim, name: 'gone', address: '127.0.0.1', listen: 81 },
      ],
    },
  });
  const [set] = history([[at('1')]], client).states;
  const listeners = [...(set?.get(envoyTypeUrls.listener)?.values() ?? [])];
  assert.deepEqual(listeners.map((r) => r.name).sort(), ['inbound', 'outbound|127.0.0.1|80']);
  const made = listeners.find((r) => r.name === 'inbound');
  assert.equal(Listener.decode(made?.value ?? new Uint8Array()).filterChains.length, 1);
});
