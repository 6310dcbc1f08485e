import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerPolicies } from '../../../control/policy/index.ts';
import { grpcDialect } from '../../../control/snapshot/grpc/index.ts';
import { createSnapshotBuilder, DialectResources, envoyDialect, nativeDialect } from '../../../control/snapshot/index.ts';
import { networkId } from '../../../core/model/index.ts';
import { Cluster, ClusterLoadAssignment, Secret } from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls, native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { checkAssignment } from '../../../core/xds/validate-native.ts';
import { type EndpointSketch, gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';
import { assertGolden } from '../../support/golden.ts';
import { clusterOf, trafficModel } from '../../support/traffic-sketch.ts';

const agent = { kind: 'agent', network: networkId('a') } as const;
const bank = 'spiffe://partner.test/bank';
const foreign = { trustDomain: 'partner.test', uriSans: [bank], host: 'bank.partner.internal' };
const outside: Partial<EndpointSketch> = { tlsMode: 'none', address: '192.0.2.7' };

function inputs(endpoints: readonly EndpointSketch[], servers = foreign, federated = true) {
  const view = viewOf([serviceOf('bank', endpoints)], [gatewayOf('b', 'east', ['198.51.100.9'])]);
  const traffic = trafficModel({ 'shop/bank': { policy: { foreign: servers } } });
  const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const base = inputsOf(view, { traffic, policies });
  const others = [{ trustDomain: 'partner.test', roots: [Buffer.from('their root')] }];
  return federated ? { ...base, trust: { ...base.trust, others } } : base;
}

function endpointsOf(given: ReturnType<typeof inputs>) {
  const builder = createSnapshotBuilder();
  builder.update(given);
  return builder.snapshot(agent).resources.endpoints.get(clusterOf('shop/bank'))?.value.endpoints ?? [];
}

test('servers of another trust domain are expected by their ids, asked for as their own mesh does, with or without a bundle', () => {
  const tls = { sni: 'outbound_.8080_._.bank.partner.internal', uriSans: [bank], clusterSan: '', trustDomain: 'partner.test' };
  for (const federated of [true, false])
    assert.deepEqual(
      endpointsOf(inputs([{ instance: 'one', ...outside }], foreign, federated)).map((e) => e.tls),
      [tls],
    );
  assert.deepEqual(endpointsOf(inputs([{ instance: 'one' }]))[0]?.tls, tls, 'whatever its record says that it speaks');
  assert.equal(endpointsOf(inputs([{ instance: 'one', ...outside }], { ...foreign, host: '' }))[0]?.tls?.sni, '');
  const own = { trustDomain: 'mesh.test', uriSans: ['spiffe://mesh.test/ns/shop/sa/bank'], host: '' };
  assert.equal(endpointsOf(inputs([{ instance: 'one', ...outside }], own))[0]?.tls, undefined, 'ids of the mesh are not foreign');
  assert.equal(endpointsOf(inputs([{ instance: 'one' }], own))[0]?.tls?.clusterSan, 'east.cluster.mesh.test');
});

test('nobody takes their part: no gateway between, and no gateway that forwards in the clear', () => {
  assert.deepEqual(endpointsOf(inputs([{ instance: 'far', ...outside, network: 'b' }])), []);
  const builder = createSnapshotBuilder();
  const routesFor = (given: ReturnType<typeof inputs>) => {
    builder.update(given);
    return [...builder.snapshot({ kind: 'gateway', network: networkId('b') }).resources.route.keys()];
  };
  assert.deepEqual(routesFor(inputs([{ instance: 'far', ...outside, network: 'b' }])), []);
  const own = { trustDomain: 'mesh.test', uriSans: [], host: '' };
  assert.deepEqual(routesFor(inputs([{ instance: 'far', ...outside, network: 'b' }], own)), [
    'outbound_.8080_.gateway_.bank.shop.mesh.internal',
  ]);
});

test('what both proxies are told of them; proxyless gRPC, which believes the mesh alone, is told of nobody', async () => {
  const builder = createSnapshotBuilder();
  const dialects = [nativeDialect, envoyDialect, grpcDialect];
  const resources = new DialectResources(builder, dialects);
  builder.update(inputs([{ instance: 'one', ...outside }]));
  resources.publish();
  const of = (dialect: 'native' | 'envoy' | 'grpc') => resources.view(clientOf({ dialect, network: 'a' })).current();
  const [ours, envoys] = [of('native'), of('envoy')];
  const name = clusterOf('shop/bank');
  const assignment = native.LoadAssignment.decode(ours?.get(nativeTypeUrls.loadAssignment)?.get(name)?.value ?? Buffer.alloc(0));
  assert.deepEqual(checkAssignment(assignment), []);
  const bundle = native.Bundle.decode(ours?.get(nativeTypeUrls.bundle)?.get('partner.test')?.value ?? Buffer.alloc(0));
  const cluster = Cluster.decode(envoys?.get(envoyTypeUrls.cluster)?.get(name)?.value ?? Buffer.alloc(0));
  const secretName = 'bundle|spiffe://partner.test';
  const secret = Secret.decode(envoys?.get(envoyTypeUrls.secret)?.get(secretName)?.value ?? Buffer.alloc(0));
  assert.ok(JSON.stringify(secret.type).includes(Buffer.from('their root').toString('base64')));
  const sockets = cluster.transportSocketMatches.map(({ name: id, transportSocket }) => {
    const config = transportSocket?.configType;
    return { id, text: config?.$case === 'typedConfig' ? Buffer.from(config.value.value).toString('latin1') : '' };
  });
  const [group] = sockets.filter(({ id }) => id !== 'plaintext');
  for (const said of [secretName, bank, 'outbound_.8080_._.bank.partner.internal', 'svid']) assert.ok(group?.text.includes(said), said);
  assert.ok(!group?.text.includes('bundle|east'), 'no authority of the mesh vouches for them');
  const places = ClusterLoadAssignment.decode(envoys?.get(envoyTypeUrls.loadAssignment)?.get(name)?.value ?? Buffer.alloc(0));
  await assertGolden('test/golden/snapshot/foreign-servers.golden.json', {
    native: { assignment, bundle },
    envoy: { groups: sockets.map(({ id }) => id), places: places.endpoints, secret },
  });
  const proxyless = of('grpc')?.get(envoyTypeUrls.loadAssignment);
  for (const each of proxyless?.values() ?? []) {
    const { endpoints } = ClusterLoadAssignment.decode(each.value);
    assert.deepEqual(
      endpoints.flatMap((locality) => locality.lbEndpoints),
      [],
      each.name,
    );
  }
});

test('a reader takes no endpoint that says neither whose it is nor what it proves, nor ids of another trust domain than it says', () => {
  const endpoint = (tls: Partial<native.Tls>) =>
    native.LoadAssignment.fromPartial({
      clusterName: 'c',
      endpoints: [{ address: '10.0.0.1', port: 1, weight: 1, tls: { sni: '', uriSans: [bank], clusterSan: '', ...tls } }],
    });
  const table: readonly (readonly [Partial<native.Tls>, RegExp | undefined])[] = [
    [{ trustDomain: 'partner.test' }, undefined],
    [{}, /must name the cluster/],
    [{ trustDomain: 'partner.test', clusterSan: 'east.cluster.mesh.test' }, /must name the cluster/],
    [{ trustDomain: 'third.test' }, /must be a SPIFFE id of that trust domain/],
    [{ trustDomain: 'partner.test', uriSans: [] }, /must name whom to expect/],
    [{ trustDomain: 'partner.test', uriSans: [bank, 'spiffe://mesh.test/ns/shop/sa/bank'] }, /of that trust domain/],
  ];
  for (const [tls, expected] of table) {
    const said = checkAssignment(endpoint(tls))
      .map(({ message }) => message)
      .join();
    if (expected === undefined) assert.equal(said, '');
    else assert.match(said, expected);
  }
});
