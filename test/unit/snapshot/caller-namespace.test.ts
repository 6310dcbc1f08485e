import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import {
  createSnapshotBuilder,
  DialectResources,
  envoyDialect,
  explain,
  grpcDialect,
  nativeDialect,
} from '../../../control/snapshot/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { networkId, serviceKey } from '../../../core/model/index.ts';
import { envoyTypeUrls, native, nativeTypeUrls, type ResourceView } from '../../../core/xds/index.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';
import { destinationRule } from '../../support/traffic-objects.ts';

const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
const caller = serviceOf('web', [{ instance: 'web-1', identityNamespace: 'web', serviceAccount: 'web' }]);
const view = viewOf([...['orders', 'stock', 'till'].map((name) => serviceOf(name, [{ instance: `${name}-1` }])), caller]);

const originateCidrs: readonly string[] = [];
const gatewayPorts = [{ service: serviceKey('shop', 'stock'), port: 8080, gatewayPort: 16_000 }];

const limited = (id: string, maxConnections: number) =>
  destinationRule(id, 'stock.shop', { policy: { ports: [], connections: { maxConnections } } });

/** A control plane's snapshots, of which the objects are changed. `built` are services by the namespace of the class. */
function plane() {
  const compiler = createTrafficCompiler({ hostSuffix: 'mesh.internal' });
  const built: string[] = [];
  const builder = createSnapshotBuilder((service, { namespace = '' }) => built.push(`${namespace}>${service}`));
  const source = new DialectResources(builder, [nativeDialect, envoyDialect, grpcDialect]);
  const inputs = (objects: readonly TrafficObject[]) =>
    inputsOf(view, { policies, originateCidrs, gatewayPorts, traffic: compiler.update(objects, view) });
  const set = (...objects: TrafficObject[]) => {
    builder.update(inputs(objects), new Set());
    source.publish();
    return built.splice(0).sort();
  };
  set();
  return { source, set, inputs, built };
}

const of = (namespace: string) => ({ trustDomain: 'mesh.test', namespace, serviceAccount: 'web' });
const stock = 'outbound|8080||stock.shop.mesh.internal';
const clusterIn = (of: ResourceView) => of.current()?.get(nativeTypeUrls.cluster)?.get(stock);
const maxIn = (of: ResourceView) => native.Cluster.decode(clusterIn(of)?.value ?? new Uint8Array()).traffic?.connections?.maxConnections;

test("a namespace's own DestinationRule reaches its callers while they are connected, and nobody else", () => {
  const { source, set, built } = plane();
  const [web, bank] = ['web', 'bank'].map((namespace) => source.view(clientOf({ network: 'a', identity: of(namespace) }))) as [
    ResourceView,
    ResourceView,
  ];
  const told = { web: 0, bank: 0 };
  const ends = [
    web.subscribe(() => {
      told.web += 1;
    }),
    bank.subscribe(() => {
      told.bank += 1;
    }),
  ];
  built.splice(0);
  assert.deepEqual([maxIn(web), maxIn(bank)], [undefined, undefined]);
  assert.deepEqual(set(limited('web/r', 1)), ['>shop/stock', 'web>shop/stock'], 'no service is built again but the one it is for');
  assert.deepEqual([maxIn(web), maxIn(bank)], [1, undefined]);
  assert.deepEqual([told.web > 0, told.bank], [true, 0]);
  const orders = (of: ResourceView) => of.current()?.get(nativeTypeUrls.cluster)?.get('outbound|8080||orders.shop.mesh.internal');
  assert.equal(orders(web), orders(bank), 'all else is shared');
  set(limited('web/r', 1), limited('shop/r', 2));
  assert.deepEqual([maxIn(web), maxIn(bank)], [1, 2]);
  set(limited('web/r', 3), limited('shop/r', 2));
  assert.deepEqual([maxIn(web), maxIn(bank)], [3, 2]);
  set(limited('shop/r', 2));
  assert.deepEqual([maxIn(web), maxIn(bank)], [2, 2]);
  assert.equal(clusterIn(web), clusterIn(bank), 'one class again');
  for (const end of ends) end();
});

test('Envoy and gateways keep to the rules of their namespace; proxyless gRPC knows none', () => {
  const { source, set, built } = plane();
  set(limited('web/r', 7), { ...limited('isthmus-system/r', 5), spec: { ...limited('isthmus-system/r', 5).spec, exportTo: ['.'] } });
  const bytes = (changes: Parameters<typeof clientOf>[0], typeUrl: string) =>
    source
      .view(clientOf({ network: 'a', ...changes }))
      .current()
      ?.get(typeUrl)
      ?.get(stock)?.value;
  const envoy = (namespace: string) => bytes({ dialect: 'envoy', identity: of(namespace) }, envoyTypeUrls.cluster);
  assert.notDeepEqual(envoy('web'), envoy('bank'));
  assert.notEqual(envoy('web'), undefined);
  assert.deepEqual(envoy('shop'), envoy('bank'));
  const gateway = source.view(clientOf({ network: 'a', kind: 'gateway', identity: of('isthmus-system') }));
  assert.equal(maxIn(gateway), 5, 'for callers without a sidecar');
  built.splice(0);
  source.view(clientOf({ network: 'b', dialect: 'grpc', identity: of('web') })).current();
  assert.deepEqual(
    built,
    [...view.services.keys()].map((key) => `>${key}`),
  );
});

test('a class of a namespace is the same whether it was there before or is made anew', () => {
  const { inputs } = plane();
  const [before, after] = [inputs([limited('web/r', 1)]), inputs([limited('web/r', 2), limited('shop/r', 3)])];
  const web = { kind: 'agent', network: networkId('a'), namespace: 'web' } as const;
  const old = createSnapshotBuilder();
  old.update(before);
  old.snapshot(web);
  old.update(after);
  const fresh = createSnapshotBuilder();
  fresh.update(after);
  assert.equal(old.snapshot(web).version, fresh.snapshot(web).version);
  const { namespace: _, ...general } = web;
  assert.notEqual(fresh.snapshot(web).version, fresh.snapshot(general).version);
});

test('explain names the DestinationRule that acts', () => {
  const { inputs } = plane();
  const now = inputs([limited('web/r', 1), limited('shop/r', 2)]);
  const lines = (src: string) =>
    explain(now, src, 'shop/stock').steps.flatMap((step) => step.details.filter((d) => d.includes('DestinationRule')));
  assert.deepEqual(lines('shop/web'), ['DestinationRule web/r, which callers of web keep to and others do not']);
  assert.deepEqual(lines('shop/till'), ['DestinationRule shop/r']);
});
