import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parseConfig } from '../../../control/config/index.ts';
import type { ConfigObject, TrafficObject } from '../../../core/config/index.ts';
import { repositoryRoot } from '../../support/repository-root.ts';
import { codes, leads, meshService, modelOf, routingOf } from '../../support/traffic-model.ts';

const mesh =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: /s}\n';
const isTraffic = (object: ConfigObject): object is TrafficObject => 'scope' in object;

function parsed(text: string): readonly TrafficObject[] {
  const result = parseConfig([
    { file: 'mesh.yaml', text: mesh },
    { file: 'sample.yaml', text },
  ]);
  assert.ok(result.ok);
  return result.value.objects.filter(isTraffic);
}

async function samples(...files: readonly string[]): Promise<readonly TrafficObject[]> {
  const texts = files.map((file) => readFile(join(repositoryRoot, 'test/samples/gateway-api', file), 'utf8'));
  return (await Promise.all(texts)).flatMap(parsed);
}

const web = ['catalogue', 'accounts', 'orders', 'orders-canary', 'orders-v1', 'orders-v2'].map((name) =>
  meshService(`default/${name}`, { 8080: 'http', 50051: 'grpc' }),
);
const to = (name: string, port = 8080) => `outbound|${port}||${name}.mesh.internal`;
const theImport = { group: 'multicluster.x-k8s.io', kind: 'ServiceImport', name: 'home' };

/** Of the one Gateway: by virtual host its rules, in order. */
function hosts(model: ReturnType<typeof modelOf>): Readonly<Record<string, unknown>> {
  assert.equal(model.gateways.size, 1);
  const [routing] = [...([...model.gateways.values()][0]?.routings.values() ?? [])];
  return Object.fromEntries((routing?.virtualHosts ?? []).map((v, i) => [v.name, leads(routing, i)?.map(([, where]) => where)]));
}

test('a Gateway with a route: one host, one service, on ingress gateways with its name', async () => {
  const model = modelOf(await samples('simple-gateway.yaml'), web);
  assert.deepEqual(hosts(model), { 'catalogue.example.net:80': [to('catalogue.default')] });
  assert.deepEqual([...model.gateways.values()][0]?.selector, { 'gateway.networking.k8s.io/gateway-name': 'storefront' });
  assert.deepEqual(codes(model), []);
});

test('of all routes of a host the match that says the most comes first, whoever wrote it', async () => {
  const model = modelOf(await samples('http-routing.yaml', 'traffic-splitting.yaml', 'redirect-and-rewrite.yaml'), web);
  const { 'orders.example.net:80': orders, 'accounts.example.net:80': accounts, 'api.example.net:80': api } = hosts(model);
  assert.deepEqual(accounts, [to('accounts.default')]);
  assert.deepEqual(orders, [
    to('orders-canary.default'),
    to('orders-v2.default'),
    to('orders.default'),
    `${to('orders-v1.default')} 90 + ${to('orders-v2.default')} 10`,
    '301',
  ]);
  assert.deepEqual(api, [to('orders.default')]);
});

test('gRPC by its method', async () => {
  const model = modelOf(await samples('simple-gateway.yaml', 'grpc-routing.yaml'), web);
  const virtualHost = [...([...model.gateways.values()][0]?.routings.values() ?? [])][0]?.virtualHosts.find((v) =>
    v.name.startsWith('accounts'),
  );
  assert.deepEqual(virtualHost?.rules[0]?.matches[0]?.path, { type: 'exact', value: '/net.example.User/Login' });
  assert.deepEqual(hosts(model)['orders.example.net:80'], [to('orders-canary.default', 50051), to('orders.default', 50051)]);
});

test('into another namespace only where it lets', async () => {
  const services = [meshService('web/home', { 8080: 'http' })];
  const all = await samples('cross-namespace.yaml');
  assert.deepEqual(hosts(modelOf(all, services)), { 'shop.example.net:443': [to('home.web')] });
  const imported = all.map((object) =>
    object.kind === 'ReferenceGrant' ? { ...object, spec: { ...object.spec, to: [theImport] } } : object,
  );
  assert.deepEqual(hosts(modelOf(imported, services)), { 'shop.example.net:443': [to('home.web')] });
  const without = modelOf(
    all.filter((object) => object.kind !== 'ReferenceGrant'),
    services,
  );
  assert.deepEqual(hosts(without), { 'shop.example.net:443': ['500'] });
  assert.ok(codes(without).some((code) => code.startsWith('reference-not-granted HTTPRoute site/home')));
  const strangers = all.map((object) => (object.kind === 'HTTPRoute' ? { ...object, namespace: 'other' } : object));
  assert.ok(codes(modelOf(strangers, services)).includes('not-attached HTTPRoute other/home spec.parentRefs[0]'));
});

test('TLS by its server name, and bytes by their port', async () => {
  const services = [meshService('default/vault', { 8200: 'tls' }), meshService('default/postgres', { 5432: 'tcp' })];
  const model = modelOf(await samples('tls-and-tcp.yaml'), services);
  const l4 = [...([...model.gateways.values()][0]?.routings.values() ?? [])].flatMap((routing) => routing.l4);
  assert.deepEqual(
    l4.map((rule) => [rule.matches[0]?.sniHosts ?? [], rule.destinations[0]?.destination.cluster]),
    [
      [['vault.example.net'], to('vault.default', 8200)],
      [[], to('postgres.default', 5432)],
    ],
  );
  assert.deepEqual(codes(model), []);
});

test("a service's own route is for every caller, a consumer's for its namespace alone", async () => {
  const services = ['shop/orders', 'shop/orders-v2', 'web/front'].map((id) => meshService(id, { 8080: 'http' }));
  const produced = await samples('mesh-callers.yaml');
  const own = [to('orders-v2.shop'), to('orders.shop')];
  assert.deepEqual(
    leads(routingOf(modelOf(produced, services), 'shop/orders', 8080))?.map(([, where]) => where),
    own,
  );
  const consumer = parsed(`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orders, namespace: web}
spec:
  parentRefs: [{group: "", kind: Service, name: orders, namespace: shop}]
  rules: [{backendRefs: [{name: front, port: 8080}]}]
`);
  const rules = routingOf(modelOf([...produced, ...consumer], services), 'shop/orders', 8080)?.virtualHosts[0]?.rules ?? [];
  assert.deepEqual(
    rules.map((rule) => rule.matches[0]?.sourceNamespace),
    ['web', 'web', undefined, undefined],
  );
});
