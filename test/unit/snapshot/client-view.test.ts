import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorizationPolicies, callerPolicies, type Policy } from '../../../control/policy/index.ts';
import type { Dialect } from '../../../control/snapshot/dialect.ts';
import { lazyResource } from '../../../control/snapshot/dialect.ts';
import { createSnapshotBuilder, DialectResources, nativeDialect } from '../../../control/snapshot/index.ts';
import { networkId, serviceKey } from '../../../core/model/index.ts';
import { nativeTypeUrls, noClaims, type ResourceView } from '../../../core/xds/index.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';

const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
const denyWeb: Policy = {
  name: 'deny-web',
  apply: (draft, service) =>
    service.name !== 'orders'
      ? draft
      : {
          ...draft,
          rules: [
            { action: 'deny', name: 'deny-web', principals: ['mesh.test/ns/shop/sa/web'], namespaces: [], clusters: [] },
            ...draft.rules,
          ],
        },
};
const services = () => viewOf([serviceOf('orders', [{ instance: 'o1' }]), serviceOf('stock', [{ instance: 's1' }])]);
const listeners = (view: ResourceView) => [...(view.current()?.get(nativeTypeUrls.listener)?.keys() ?? [])].sort();
const web = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'web' };
const till = { ...web, serviceAccount: 'till' };

test('a client is not told of a service that it may not call, others are, and who enforces a policy gets it', () => {
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [nativeDialect]);
  builder.update(inputsOf(services(), { policies: [...base, denyWeb] }));
  source.publish();
  const [asWeb, asTill] = [web, till].map((identity) => source.view(clientOf({ identity, network: 'a' })));
  assert.ok(asWeb !== undefined && asTill !== undefined);
  assert.deepEqual(listeners(asWeb), ['stock.shop.mesh.internal']);
  assert.deepEqual(listeners(asTill), ['orders.shop.mesh.internal', 'stock.shop.mesh.internal']);
  const cluster = 'outbound|8080||orders.shop.mesh.internal';
  assert.equal(asWeb.current()?.get(nativeTypeUrls.loadAssignment)?.has(cluster), false);
  assert.equal(asWeb.current()?.get(nativeTypeUrls.cluster)?.get(cluster), undefined);
  assert.ok(asWeb.current()?.get(nativeTypeUrls.authz)?.has('shop/orders'));
  const bytes = (view: ResourceView) => view.current()?.get(nativeTypeUrls.cluster)?.get('outbound|8080||stock.shop.mesh.internal')?.value;
  assert.equal(bytes(asWeb), bytes(asTill));
});

test('a policy that comes and goes takes a service away from its callers and gives it back, told name by name', () => {
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [nativeDialect]);
  const open = inputsOf(services(), { policies: base });
  builder.update(open);
  source.publish();
  const view = source.view(clientOf({ identity: web, network: 'a' }));
  const told: string[] = [];
  const end = view.subscribe((changed) => told.push(...(changed ?? []).flatMap((c) => c.names)));
  assert.equal(listeners(view).length, 2);
  builder.update({ ...open, policies: [...base, denyWeb] }, new Set());
  source.publish();
  assert.ok(told.includes('orders.shop.mesh.internal'), told.join());
  assert.ok(!told.includes('stock.shop.mesh.internal'), told.join());
  assert.deepEqual(listeners(view), ['stock.shop.mesh.internal']);
  builder.update(open, new Set());
  source.publish();
  assert.equal(listeners(view).length, 2);
  end();
});

test('what is made for one client follows what it was made from, and nothing else', () => {
  let made = 0;
  const personal: Dialect = {
    ...nativeDialect,
    personal: (claims, find) =>
      claims.outbound.flatMap((o) => {
        made += 1;
        const found = find('endpoints', `outbound|${o.port}||${o.name}.${o.namespace}.mesh.internal`);
        const version = found?.version ?? '';
        return found === undefined ? [] : [lazyResource(nativeTypeUrls.listener, `own ${o.name}`, version, () => Buffer.from(version))];
      }),
  };
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [personal]);
  const inputs = inputsOf(services(), { policies: base });
  builder.update(inputs);
  source.publish();
  const claims = { ...noClaims, outbound: [{ namespace: 'shop', name: 'orders', port: 8080, address: '127.0.0.1', listen: 9000 }] };
  const view = source.view(clientOf({ network: 'a', claims }));
  const told: string[] = [];
  const end = view.subscribe((changed) => told.push(...(changed ?? []).flatMap((c) => c.names)));
  assert.ok(listeners(view).includes('own orders'));
  assert.equal(made, 1);
  const stock = [serviceOf('orders', [{ instance: 'o1' }]), serviceOf('stock', [{ instance: 's1', weight: 7 }])];
  builder.update({ ...inputs, view: viewOf(stock) }, new Set([serviceKey('shop', 'stock')]));
  source.publish();
  assert.equal(made, 1);
  assert.ok(!told.includes('own orders'));
  const moved = [
    serviceOf('orders', [{ instance: 'o1' }, { instance: 'o2', address: '10.0.0.8' }]),
    serviceOf('stock', [{ instance: 's1', weight: 7 }]),
  ];
  builder.update({ ...inputs, view: viewOf(moved) }, new Set([serviceKey('shop', 'orders')]));
  source.publish();
  assert.equal(made, 2);
  assert.ok(told.includes('own orders'));
  // Denied: its own listener goes as well.
  builder.update({ ...inputs, view: viewOf(moved), policies: [...base, denyWeb] }, new Set());
  source.publish();
  assert.ok(!listeners(view).includes('own orders'));
  end();
});

test('a service that other clusters have too is kept from nobody: who is refused here may be let in there', () => {
  const everywhere = [serviceOf('orders', [{ instance: 'o1' }, { instance: 'p1', cluster: 'west', network: 'b' }])];
  const nobody = authorizationPolicies([
    { kind: 'AuthorizationPolicy', name: 'nobody', namespace: 'shop', spec: { selector: {}, action: 'ALLOW', rules: [] } },
  ]);
  const seen = (services: Parameters<typeof viewOf>[0]) => {
    const builder = createSnapshotBuilder();
    const source = new DialectResources(builder, [nativeDialect]);
    builder.update(inputsOf(viewOf(services), { policies: [...base, nobody] }));
    source.publish();
    return listeners(source.view(clientOf({ identity: web, network: 'a' })));
  };
  assert.deepEqual(seen(everywhere), ['orders.shop.mesh.internal']);
  assert.deepEqual(seen([serviceOf('orders', [{ instance: 'o1' }])]), []);
});

test('a changed policy builds those services anew whose rules it changes, and no others', () => {
  const built: string[] = [];
  const builder = createSnapshotBuilder((key) => built.push(key));
  const inputs = inputsOf(services(), { policies: base });
  const client = { kind: 'agent' as const, network: networkId('a') };
  builder.update(inputs);
  builder.snapshot(client);
  built.length = 0;
  const again = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  builder.update({ ...inputs, policies: again }, new Set());
  builder.snapshot(client);
  assert.deepEqual(built, []);
  builder.update({ ...inputs, policies: [...again, denyWeb] }, new Set());
  builder.snapshot(client);
  assert.deepEqual(built, ['shop/orders']);
});
