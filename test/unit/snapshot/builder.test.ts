import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createSnapshotBuilder, DialectResources, envoyDialect, nativeDialect, type Snapshot } from '../../../control/snapshot/index.ts';
import { networkId, type ServiceKey, serviceKey } from '../../../core/model/index.ts';
import { native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';

const agent = { kind: 'agent', network: networkId('a') } as const;
const gateway = { kind: 'gateway', network: networkId('a') } as const;
const orders = (weight = 1) => serviceOf('orders', [{ instance: 'o1', weight }]);
const legacy = serviceOf('legacy', [{ instance: 'l1', tlsMode: 'none' }]);
const names = (s: Snapshot) =>
  Object.values(s.resources)
    .flatMap((map) => [...map.values()].map((r) => `${r.kind} ${r.name}`))
    .sort();

test('an agent gets one listener a service, a cluster with endpoints a port, authorisation, and trust', () => {
  const builder = createSnapshotBuilder();
  builder.update(inputsOf(viewOf([orders()])));
  assert.deepEqual(names(builder.snapshot(agent)), [
    'authz shop/orders',
    'bundle mesh.test',
    'cluster outbound|8080||orders.shop.mesh.internal',
    'endpoints outbound|8080||orders.shop.mesh.internal',
    'listener orders.shop.mesh.internal',
  ]);
});

test('a gateway gets routes to its own network alone: passthrough to sidecars, terminate with authorisation for the rest', () => {
  const builder = createSnapshotBuilder();
  const remote = serviceOf('far', [{ instance: 'f', cluster: 'west', network: 'b' }]);
  builder.update(inputsOf(viewOf([orders(), legacy, remote], [gatewayOf('b', 'west', ['192.0.2.1'])])));
  const { resources } = builder.snapshot(gateway);
  assert.deepEqual([...resources.route.keys()].sort(), [
    'outbound_.8080_._.orders.shop.mesh.internal',
    'outbound_.8080_.gateway_.legacy.shop.mesh.internal',
  ]);
  assert.deepEqual([...resources.authz.keys()], ['shop/legacy']);
  assert.deepEqual([...resources.listener.keys()], []);
});

test('a gateway port gives an originate listener for the named source addresses, and what it needs to go on', () => {
  const builder = createSnapshotBuilder();
  const far = serviceOf('far', [{ instance: 'f', cluster: 'west', network: 'b' }]);
  const view = viewOf([far], [gatewayOf('b', 'west', ['192.0.2.1'])]);
  builder.update(inputsOf(view, { gatewayPorts: [{ service: far.key, port: 8080, gatewayPort: 16_007 }], originateCidrs: ['10.0.0.0/8'] }));
  const listener = builder.snapshot(gateway).resources.listener.get('originate|16007')?.value;
  assert.ok(listener?.type === 'originate');
  assert.deepEqual([listener.allowedCidrs, listener.cluster], [['10.0.0.0/8'], 'outbound|8080||far.shop.mesh.internal']);
  assert.equal(builder.snapshot(gateway).resources.endpoints.get(listener.cluster)?.value.endpoints[0]?.address, '192.0.2.1');
});

test('a change rebuilds only the service it names; gateways touch only services of their network', () => {
  const built: ServiceKey[] = [];
  const builder = createSnapshotBuilder((key) => built.push(key));
  const many = Array.from({ length: 50 }, (_, i) => serviceOf(`s${i}`, [{ instance: `i${i}` }]));
  const far = serviceOf('far', [{ instance: 'f', cluster: 'west', network: 'b' }]);
  const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const base = inputsOf(viewOf([...many, far]), { policies });
  builder.update(base);
  const before = builder.snapshot(agent);
  built.length = 0;
  const moved = serviceOf('s0', [{ instance: 'i0', address: '10.0.0.9' }]);
  builder.update({ ...base, view: { ...base.view, services: new Map(base.view.services).set(moved.key, moved) } }, new Set([moved.key]));
  builder.snapshot(agent);
  assert.deepEqual(built, [moved.key]);
  built.length = 0;
  const next = {
    ...base,
    view: {
      ...base.view,
      services: new Map(base.view.services).set(far.key, far),
      gateways: viewOf([], [gatewayOf('b', 'west', ['192.0.2.1'])]).gateways,
    },
  };
  builder.update(next, new Set());
  const after = builder.snapshot(agent);
  assert.deepEqual(built, [far.key]);
  assert.equal(
    after.resources.listener.get('s1.shop.mesh.internal'),
    builder.snapshot(agent).resources.listener.get('s1.shop.mesh.internal'),
  );
  assert.notEqual(after.version, before.version);
});

test('same content, same versions, whatever the history and order', () => {
  const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const straight = createSnapshotBuilder();
  straight.update(inputsOf(viewOf([orders(), legacy]), { policies }));
  const winding = createSnapshotBuilder();
  const base = inputsOf(viewOf([legacy, orders(9)]), { policies });
  winding.update(base);
  winding.snapshot(agent);
  winding.update({ ...base, view: viewOf([legacy]) }, new Set([serviceKey('shop', 'orders')]));
  winding.snapshot(agent);
  winding.update({ ...base, view: viewOf([legacy, orders()]) }, new Set([serviceKey('shop', 'orders')]));
  assert.equal(winding.snapshot(agent).version, straight.snapshot(agent).version);
});

test('a service whose resources contradict themselves keeps its last good ones, is named, and blocks nobody', () => {
  const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const builder = createSnapshotBuilder();
  const base = inputsOf(viewOf([orders()]), { policies });
  builder.update(base);
  const good = builder.snapshot(agent).resources.endpoints.get('outbound|8080||orders.shop.mesh.internal');
  const bad = serviceOf('orders', [{ instance: 'o1', address: 'not-an-ip' }]);
  builder.update({ ...base, view: viewOf([bad, legacy]) }, new Set([bad.key, legacy.key]));
  const after = builder.snapshot(agent);
  assert.equal(after.resources.endpoints.get('outbound|8080||orders.shop.mesh.internal'), good);
  assert.ok(after.resources.listener.has('legacy.shop.mesh.internal'));
  assert.match(builder.faults().get(bad.key)?.join() ?? '', /not-an-ip is no IP/);
});

test('a fault for one class of clients stays known while another class is fine with the same service', () => {
  const builder = createSnapshotBuilder();
  const bad = serviceOf('orders', [{ instance: 'o1', address: 'not-an-ip' }]);
  builder.update(inputsOf(viewOf([bad])));
  builder.snapshot(agent);
  assert.equal(builder.faults().size, 1);
  builder.snapshot({ kind: 'gateway', network: networkId('elsewhere') });
  assert.equal(builder.faults().size, 1);
});

test('a class is kept while anybody follows it in any dialect; of those that nobody follows only a few are, for who comes back', () => {
  const built: string[] = [];
  const builder = createSnapshotBuilder((_service, client) => built.push(client.network));
  const source = new DialectResources(builder, [nativeDialect, envoyDialect]);
  builder.update(inputsOf(viewOf([orders()])));
  source.publish();
  const follow = (network: string, dialect: 'native' | 'envoy' = 'native') =>
    source.view(clientOf({ network, dialect })).subscribe(() => undefined);
  const passers = (from: number) => {
    for (let i = from; i < from + 20; i += 1) follow(`net-${i}`)();
  };
  const [native, envoy] = [follow('home'), follow('home', 'envoy')];
  passers(0);
  native();
  passers(20);
  follow('home')();
  assert.equal(built.filter((network) => network === 'home').length, 1, 'followed all the time');
  envoy();
  follow('home')();
  assert.equal(built.filter((network) => network === 'home').length, 1, 'came back at once');
  passers(40);
  assert.equal(built.length, 61);
  follow('home')();
  follow('net-0')();
  assert.equal(built.length, 63, 'those that are long gone are built anew');
});

test('views tell subscribers what changed, have nothing before the first publish, and share the bytes', () => {
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [nativeDialect]);
  const view = source.view(clientOf(agent));
  const seen: (readonly string[])[] = [];
  const end = view.subscribe((changed) => seen.push(changed?.flatMap((c) => c.names) ?? ['everything']));
  assert.equal(view.current(), undefined);
  const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const base = inputsOf(viewOf([orders(), legacy]), { policies });
  builder.update(base);
  source.publish();
  builder.update({ ...base, view: viewOf([orders(5), legacy]) }, new Set([serviceKey('shop', 'orders')]));
  source.publish();
  builder.update({ ...base, view: viewOf([orders(5), legacy]) }, new Set([serviceKey('shop', 'orders')]));
  source.publish();
  const cluster = 'outbound|8080||orders.shop.mesh.internal';
  assert.deepEqual(seen, [['everything']], 'a weight alone among one endpoint reduces to the same share');
  builder.update(
    { ...base, view: viewOf([serviceOf('orders', [{ instance: 'o1', address: '10.0.0.9' }]), legacy]) },
    new Set([serviceKey('shop', 'orders')]),
  );
  source.publish();
  assert.deepEqual(seen.slice(1), [[cluster]]);
  const bytes = view.current()?.get(nativeTypeUrls.loadAssignment)?.get(cluster);
  assert.equal(native.LoadAssignment.decode(bytes?.value ?? Buffer.alloc(0)).endpoints[0]?.address, '10.0.0.9');
  assert.equal(source.view(clientOf(agent)).current()?.get(nativeTypeUrls.loadAssignment)?.get(cluster), bytes);
  end();
});
