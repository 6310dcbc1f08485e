import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClassSnapshot } from '../../../control/snapshot/class-snapshot.ts';
import type { Dialect } from '../../../control/snapshot/dialect.ts';
import { createSnapshotBuilder, DialectResources, nativeDialect, type SnapshotBuilder } from '../../../control/snapshot/index.ts';
import type { ClientClass, Resource } from '../../../control/snapshot/ir.ts';
import { seal } from '../../../control/snapshot/seal.ts';
import { nativeTypeUrls, noClaims } from '../../../core/xds/index.ts';
import { inputsOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';

/** Gives every class the same resources, and writes down which classes were asked for and let go. */
function builderOf(resources: readonly Resource[]) {
  const asked: ClientClass[] = [];
  const released: ClientClass[] = [];
  const real = createSnapshotBuilder();
  real.update(inputsOf(viewOf([])));
  const builder: SnapshotBuilder = {
    ...real,
    snapshot: (client) => {
      asked.push(client);
      const made = new ClassSnapshot(client);
      made.replace(new Map([['shop/orders', resources]]));
      return made.snapshot();
    },
    release: (client) => released.push(client),
  };
  return { builder, asked, released };
}

test('clients are classed by where they are, and ingress gateways by their labels too', () => {
  const { builder, asked, released } = builderOf([]);
  const source = new DialectResources(builder, [nativeDialect]);
  source.publish();
  const ends: (() => void)[] = [];
  const classOf = (changes: Parameters<typeof clientOf>[0]) => {
    const before = asked.length;
    ends.push(source.view(clientOf({ network: 'a', ...changes })).subscribe(() => {}));
    return asked.slice(before);
  };
  const near = { kind: 'agent', network: 'a', locality: 'r/z' };
  assert.deepEqual(classOf({}), [{ kind: 'agent', network: 'a' }]);
  assert.deepEqual(classOf({ locality: 'r/z', labels: { app: 'web' } }), [near]);
  assert.deepEqual(classOf({ locality: 'r/z', labels: { app: 'till' } }), [], 'labels of agents make no class');
  assert.deepEqual(classOf({ kind: 'gateway', locality: 'r/z' }), [{ ...near, kind: 'gateway' }]);
  const front = { kind: 'ingress', network: 'a', labels: { istio: 'front' } } as const;
  assert.deepEqual(classOf(front), [front]);
  const http = [{ address: '127.0.0.1', listen: 8080, services: [] }];
  assert.deepEqual(classOf({ ...front, claims: { ...noClaims, http } }), [], 'one that says itself what it serves is a caller');
  for (const end of ends) end();
  assert.deepEqual(released.map((each) => JSON.stringify(each)).sort(), [...new Set(asked.map((each) => JSON.stringify(each)))].sort());
});

test('however many places clients say they are in, classes are bounded', () => {
  const { builder, asked } = builderOf([]);
  const source = new DialectResources(builder, [nativeDialect]);
  source.publish();
  const ends = Array.from({ length: 1_000 }, (_, i) => source.view(clientOf({ locality: `r/z${i}` })).subscribe(() => {}));
  const classes = new Set(asked.map((each) => each.locality));
  assert.equal(classes.size, 513);
  assert.ok(classes.has(undefined), 'those beyond are served as if they had not said it');
  for (const end of ends) end();
  asked.length = 0;
  source.view(clientOf({ locality: 'late' })).subscribe(() => {})();
  assert.deepEqual(
    asked.map((each) => each.locality),
    ['late'],
  );
});

test('rules are of whom they lead to, and only callers look them up; what an mTLS end has to know everybody may', () => {
  const cluster = { host: 'orders', namespace: 'shop', service: 'orders', port: 80, protocol: 'http' as const, connectTimeoutMs: 0 };
  const allow = { action: 'allow' as const, name: 'till', principals: ['mesh.test/ns/shop/sa/till'], namespaces: [], clusters: [] };
  const { builder } = builderOf([
    seal('authz', 'shop/orders', { rules: [allow] }),
    seal('cluster', 'outbound|80||orders', cluster),
    seal('routing', '80|orders', { virtualHosts: [], l4: [] }),
    seal('routing', 'ingress|80', { virtualHosts: [], l4: [] }),
    seal('inbound', 'shop/orders', { subsets: ['v1'] }),
  ]);
  const seen: string[] = [];
  const personal: Dialect = {
    ...nativeDialect,
    personal: (claims, find, _context, identity) => {
      const names = [find('routing', '80|orders'), find('routing', 'ingress|80'), find('inbound', 'shop/orders')].map((r) => r?.name);
      seen.push(`${identity.serviceAccount} ${claims.labels?.['app']}: ${names.join(' ')}`);
      return [];
    },
  };
  const source = new DialectResources(builder, [personal]);
  source.publish();
  const routings = ['web', 'till'].map((serviceAccount) => {
    const identity = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount };
    const set = source.view(clientOf({ identity, labels: { app: serviceAccount } })).current();
    return [...(set?.get(nativeTypeUrls.routing)?.keys() ?? [])];
  });
  assert.deepEqual(seen, ['web web:  ingress|80 shop/orders', 'till till: 80|orders ingress|80 shop/orders']);
  assert.deepEqual(routings, [[], ['80|orders', 'ingress|80']]);
});
