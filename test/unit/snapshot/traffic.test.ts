import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../../control/policy/index.ts';
import type { TrafficModel } from '../../../control/routing/contract.ts';
import { createSnapshotBuilder, DialectResources, type ListenerIr, nativeDialect, type Snapshot } from '../../../control/snapshot/index.ts';
import { networkId, type ServiceKey } from '../../../core/model/index.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import { type EndpointSketch, gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';
import { clusterOf, gatewaySketch, routingTo, trafficModel } from '../../support/traffic-sketch.ts';

const agent = { kind: 'agent', network: networkId('a') } as const;
const gateway = { kind: 'gateway', network: networkId('a') } as const;
const v1: Partial<EndpointSketch> = { labels: { version: 'v1' } };
const v2: Partial<EndpointSketch> = { labels: { version: 'v2' } };
const subsets = ['v1', 'v2'].map((name) => ({ name, labels: { version: name } }));
const west = { cluster: 'west', network: 'b' };
const canary = { [clusterOf('shop/orders', 'v1')]: 99, [clusterOf('shop/orders', 'v2')]: 1 };

function listener(snapshot: Snapshot, name: string): ListenerIr | undefined {
  return snapshot.resources.listener.get(name)?.value;
}

function endpointsOf(snapshot: Snapshot, cluster: string) {
  return snapshot.resources.endpoints.get(cluster)?.value.endpoints ?? [];
}

test('a port with routing names it, and every subset is an xDS cluster with its own endpoints and policies', () => {
  const builder = createSnapshotBuilder();
  const orders = serviceOf('orders', [
    { instance: 'o1', ...v1 },
    { instance: 'o2', address: '10.0.0.2', ...v2 },
  ]);
  const policy = { traffic: { loadBalancer: { type: 'random' }, connections: { connectTimeoutMs: 1500 } } } as const;
  const traffic = trafficModel({
    'shop/orders': {
      routing: { 8080: routingTo(canary) },
      subsets: [{ ...subsets[0], name: 'v1', labels: { version: 'v1' }, policy }, subsets[1] ?? { name: '', labels: {} }],
    },
  });
  builder.update(inputsOf(viewOf([orders, serviceOf('pay', [{ instance: 'p' }])]), { traffic }));
  const snapshot = builder.snapshot(agent);
  const ports = (name: string) => (listener(snapshot, name) as ListenerIr & { type: 'service' }).ports;
  assert.equal(ports('orders.shop.mesh.internal')[0]?.routing, '8080|orders.shop.mesh.internal');
  assert.equal('routing' in (ports('pay.shop.mesh.internal')[0] ?? {}), false, 'nothing is said of it');
  assert.deepEqual(snapshot.resources.routing.get('8080|orders.shop.mesh.internal')?.value, routingTo(canary));
  const addresses = ['', 'v1', 'v2'].map((subset) => endpointsOf(snapshot, clusterOf('shop/orders', subset)).map((e) => e.address));
  assert.deepEqual(addresses, [['10.0.0.1', '10.0.0.2'], ['10.0.0.1'], ['10.0.0.2']]);
  const { value } = snapshot.resources.cluster.get(clusterOf('shop/orders', 'v1')) ?? {};
  assert.deepEqual([value?.connectTimeoutMs, value?.traffic], [1500, policy.traffic]);
  assert.equal(snapshot.resources.cluster.get(clusterOf('shop/orders', 'v2'))?.value.traffic, undefined);
  assert.deepEqual(snapshot.resources.inbound.get('shop/orders')?.value, { subsets: ['v1', 'v2'] });
  assert.equal(snapshot.resources.inbound.size, 1);
});

test('the gateway is told the subset in the server name, the endpoint on the own network is not', () => {
  const builder = createSnapshotBuilder();
  const orders = serviceOf('orders', [
    { instance: 'near', ...v1 },
    { instance: 'far', ...west, ...v1, serviceAccount: 'orders-v1' },
    { instance: 'other', ...west, ...v2, serviceAccount: 'orders-v2' },
    { instance: 'bare', ...west, ...v1, tlsMode: 'none' },
  ]);
  const traffic = trafficModel({ 'shop/orders': { subsets } });
  builder.update(inputsOf(viewOf([orders], [gatewayOf('b', 'west', ['192.0.2.1'])]), { traffic }));
  const found = endpointsOf(builder.snapshot(agent), clusterOf('shop/orders', 'v1'));
  assert.deepEqual(found.map((e) => [e.address, e.tls?.sni]).sort(), [
    ['10.0.0.1', 'outbound_.8080_._.orders.shop.mesh.internal'],
    ['192.0.2.1', 'outbound_.8080_.gateway_v1_.orders.shop.mesh.internal'],
    ['192.0.2.1', 'outbound_.8080_.v1_.orders.shop.mesh.internal'],
  ]);
  const passthrough = found.find((e) => e.tls?.sni.includes('_.v1_.'));
  assert.equal(passthrough?.tls?.uriSans.length, 2, 'labels may have changed there already: whom the gateway may lead to is expected');
});

test('a gateway has a route and a local xDS cluster for each subset and each end of mTLS', () => {
  const builder = createSnapshotBuilder();
  const orders = serviceOf('orders', [
    { instance: 'o1', ...v1 },
    { instance: 'o2', address: '10.0.0.2', ...v2, tlsMode: 'none' },
  ]);
  const policy = {
    traffic: {
      loadBalancer: { type: 'hash', on: { type: 'source-address' }, table: { type: 'maglev', tableSize: 65_537 } },
      connections: { maxConnections: 5, connectTimeoutMs: 700 },
    },
  } as const;
  builder.update(inputsOf(viewOf([orders]), { traffic: trafficModel({ 'shop/orders': { subsets, policy } }) }));
  const { resources } = builder.snapshot(gateway);
  assert.deepEqual([...resources.route.values()].map((r) => [r.name, r.value.mode, r.value.cluster]).sort(), [
    ['outbound_.8080_._.orders.shop.mesh.internal', 'passthrough', 'local|8080||orders.shop.mesh.internal'],
    ['outbound_.8080_.gateway_.orders.shop.mesh.internal', 'terminate', 'local|8080|gateway|orders.shop.mesh.internal'],
    ['outbound_.8080_.gateway_v2_.orders.shop.mesh.internal', 'terminate', 'local|8080|gateway_v2|orders.shop.mesh.internal'],
    ['outbound_.8080_.v1_.orders.shop.mesh.internal', 'passthrough', 'local|8080|v1|orders.shop.mesh.internal'],
  ]);
  const local = resources.endpoints.get('local|8080|gateway_v2|orders.shop.mesh.internal')?.value.endpoints;
  assert.deepEqual(
    local?.map((e) => e.address),
    ['10.0.0.2'],
  );
  // What one caller is limited to is no limit for all of them together, and there is no request to hash.
  assert.deepEqual(resources.cluster.get('local|8080|v1|orders.shop.mesh.internal')?.value.traffic, {
    connections: { connectTimeoutMs: 700 },
  });
});

test('99/1 over gateways and zones: each subset is spread exactly by its own backends, and nothing is truncated to nothing', () => {
  const far = (i: number, network: string, version: Partial<EndpointSketch>): EndpointSketch => ({
    instance: `${network}${i}${version.labels?.['version']}`,
    cluster: 'west',
    network,
    ...version,
  });
  const many = Array.from({ length: 97 }, (_, i) => far(i, 'b', v1));
  const orders = serviceOf('orders', [...many, far(0, 'c', v1), far(1, 'c', v1), far(0, 'b', v2), far(0, 'c', v2), far(1, 'c', v2)]);
  const gateways = [
    gatewayOf('b', 'west', ['192.0.2.1', '192.0.2.2', '192.0.2.3']),
    gatewayOf('c', 'west', ['192.0.2.11', '192.0.2.12']),
    gatewayOf('c', 'west', ['192.0.2.13', '192.0.2.14', '192.0.2.15']),
  ];
  const builder = createSnapshotBuilder();
  builder.update(
    inputsOf(viewOf([orders], gateways), { traffic: trafficModel({ 'shop/orders': { routing: { 8080: routingTo(canary) }, subsets } }) }),
  );
  const snapshot = builder.snapshot(agent);
  const share = (subset: string, network: string) => {
    const of = endpointsOf(snapshot, clusterOf('shop/orders', subset)).filter((e) => e.network === network);
    assert.equal(new Set(of.map((e) => e.weight)).size, 1, 'evenly over the gateways of one network');
    return of.reduce((sum, e) => sum + e.weight, 0);
  };
  assert.equal(share('v1', 'b') * 2, share('v1', 'c') * 97);
  assert.equal(share('v2', 'b') * 2, share('v2', 'c') * 1);
});

test('changed rules build what they name anew, and nothing else; what did not change stays the same object', () => {
  const built: ServiceKey[] = [];
  const builder = createSnapshotBuilder((key) => built.push(key));
  const view = viewOf(['orders', 'pay', 'cart'].map((name) => serviceOf(name, [{ instance: name, ...v1 }])));
  const first = trafficModel({ 'shop/orders': { subsets }, 'shop/pay': { subsets } });
  const base = inputsOf(view, { traffic: first });
  builder.update(base);
  const before = builder.snapshot(agent);
  built.length = 0;
  const second = trafficModel({ 'shop/orders': { subsets, routing: { 8080: routingTo(canary) } }, 'shop/pay': { subsets } }, [], first);
  builder.update({ ...base, traffic: second }, new Set());
  const after = builder.snapshot(agent);
  assert.deepEqual(built, ['shop/orders']);
  const cluster = clusterOf('shop/orders', 'v1');
  assert.equal(after.resources.endpoints.get(cluster), before.resources.endpoints.get(cluster));
  builder.update({ ...base, traffic: trafficModel({}, [], second) }, new Set());
  const gone = builder.snapshot(agent);
  assert.equal(gone.resources.routing.size + gone.resources.inbound.size, 0);
  const plain = createSnapshotBuilder();
  plain.update(inputsOf(view));
  assert.equal(gone.version, plain.snapshot(agent).version, 'as if nothing had ever been said');
});

test('a gateway port with routing brings every xDS cluster that it leads to, of services without a gateway port too, and lets go of them', () => {
  const builder = createSnapshotBuilder();
  const view = viewOf([
    serviceOf('orders', [{ instance: 'o' }]),
    serviceOf('next', [{ instance: 'n', ...v2 }]),
    serviceOf('cart', [{ instance: 'c' }]),
  ]);
  const said = { 'shop/next': { subsets } };
  const first = trafficModel(said);
  const gatewayPorts = [{ service: 'shop/orders' as ServiceKey, port: 8080, gatewayPort: 16_001 }];
  const base = inputsOf(view, { traffic: first, gatewayPorts });
  builder.update(base);
  const outbound = (snapshot: Snapshot) => [...snapshot.resources.cluster.keys()].filter((name) => name.startsWith('outbound|')).sort();
  assert.deepEqual(outbound(builder.snapshot(gateway)), [clusterOf('shop/orders')]);
  const routing = { 8080: routingTo({ [clusterOf('shop/orders')]: 1, [clusterOf('shop/next', 'v2')]: 1 }) };
  const second = trafficModel({ ...said, 'shop/orders': { routing } }, [], first);
  builder.update({ ...base, traffic: second }, new Set());
  const led = builder.snapshot(gateway);
  assert.deepEqual(outbound(led), [clusterOf('shop/next', 'v2'), clusterOf('shop/orders')]);
  assert.equal((listener(led, 'originate|16001') as { routing?: string }).routing, '8080|orders.shop.mesh.internal');
  assert.ok(led.resources.routing.has('8080|orders.shop.mesh.internal'));
  const straight = createSnapshotBuilder();
  straight.update({ ...base, traffic: second });
  assert.equal(straight.snapshot(gateway).version, led.version);
  builder.update({ ...base, traffic: second, gatewayPorts: [] }, new Set());
  assert.deepEqual(outbound(builder.snapshot(gateway)), []);
});

test('an ingress gateway gets what selects its labels: listeners, routings, and the services that they lead to, as a caller of them', () => {
  const built: ServiceKey[] = [];
  const builder = createSnapshotBuilder((key) => built.push(key));
  const view = viewOf(['orders', 'pay', 'cart'].map((name) => serviceOf(name, [{ instance: name, ...v1 }])));
  const web = gatewaySketch('shop/web', 8081, routingTo(canary), ['shop/orders']);
  const also = gatewaySketch('shop/also', 8081, routingTo({ [clusterOf('shop/pay')]: 1 }), ['shop/pay']);
  const other = { ...gatewaySketch('shop/other', 8082, routingTo({}), ['shop/cart']), selector: { istio: 'another' } };
  const ingress = { kind: 'ingress', network: networkId('a'), labels: { istio: 'ingress', team: 'x' } } as const;
  const first = trafficModel({ 'shop/orders': { subsets } }, [web, other]);
  const base = inputsOf(view, { traffic: first });
  builder.update(base);
  const clusters = (snapshot: Snapshot) => [...snapshot.resources.cluster.keys()].sort();
  const one = builder.snapshot(ingress);
  assert.deepEqual([...one.resources.listener.keys()], ['ingress|8081']);
  assert.deepEqual(
    clusters(one),
    ['v1', 'v2', ''].map((subset) => clusterOf('shop/orders', subset)),
  );
  assert.deepEqual(built, ['shop/orders']);
  const second: TrafficModel = trafficModel({ 'shop/orders': { subsets } }, [web, also, other], first);
  builder.update({ ...base, traffic: second }, new Set());
  const two = builder.snapshot(ingress);
  const shared = listener(two, 'ingress|8081') as ListenerIr & { type: 'ingress' };
  assert.deepEqual(
    shared.servers.map((s) => [s.name, s.routing]),
    [
      ['web', 'ingress|8081|shop/also'],
      ['shop/web/web', 'ingress|8081|shop/web'],
    ],
    'one port of two Gateways is one listener',
  );
  assert.ok(clusters(two).includes(clusterOf('shop/pay')));
  assert.deepEqual(built, ['shop/orders', 'shop/pay']);
  assert.deepEqual([...builder.snapshot({ ...ingress, labels: {} }).resources.cluster.keys()], []);
  builder.update({ ...base, traffic: trafficModel({ 'shop/orders': { subsets } }, [web, other], second as typeof first) }, new Set());
  assert.equal(builder.snapshot(ingress).version, one.version);
  assert.equal(builder.snapshot(agent).resources.listener.size, 3, 'agents get no ingress listener');
});

test('an ingress gateway sees the listeners that are meant for it, and of the services behind them those that it may call', () => {
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [nativeDialect]);
  const view = viewOf(['orders', 'pay'].map((name) => serviceOf(name, [{ instance: name }])));
  const web = gatewaySketch('shop/web', 8081, routingTo({ [clusterOf('shop/orders')]: 1 }), ['shop/orders', 'shop/pay']);
  const open = (service: ServiceKey): Policy => ({
    name: 'open',
    apply: (draft, { key }) =>
      key === service ? { ...draft, rules: [{ action: 'allow', name: 'all', principals: [], namespaces: [], clusters: ['east'] }] } : draft,
  });
  builder.update(inputsOf(view, { traffic: trafficModel({}, [web]), policies: [open('shop/orders' as ServiceKey)] }));
  source.publish();
  const client = clientOf({ kind: 'ingress', network: 'a', labels: { istio: 'ingress' } });
  const names = (type: string) => [...(source.view(client).current()?.get(type)?.keys() ?? [])];
  assert.deepEqual(names(nativeTypeUrls.listener), ['ingress|8081']);
  assert.deepEqual(names(nativeTypeUrls.routing), ['ingress|8081|shop/web']);
  assert.deepEqual(names(nativeTypeUrls.cluster), [clusterOf('shop/orders')]);
});
