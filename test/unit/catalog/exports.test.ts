import assert from 'node:assert/strict';
import test from 'node:test';
import { emptyView, nextView } from '../../../control/catalog/build-view.ts';
import { exportService, exportsFor } from '../../../control/catalog/index.ts';
import type { CatalogInput } from '../../../control/catalog/reducer.ts';
import { initialState, reduce } from '../../../control/catalog/reducer.ts';
import type { ExportPolicyObject } from '../../../core/config/index.ts';
import { clusterId, serviceKey, sourceId } from '../../../core/model/index.ts';
import { endpoint, service } from '../../support/mesh-records.ts';

const east = clusterId('east');
const west = clusterId('west');
const north = clusterId('north');

function policy(namespace: string, services: readonly string[], audience: readonly string[], labels = {}): ExportPolicyObject {
  return { kind: 'ExportPolicy', name: 'p', namespace, spec: { services, labels, audience } };
}

const all = { claims: ['*'], identityNamespaces: ['*'] };
const says = (cluster: typeof east, id: string, services: ReturnType<typeof service>[]): CatalogInput => ({
  kind: 'event',
  cluster,
  source: sourceId(id),
  event: { kind: 'snapshot', services, cursor: '' },
  at: 0,
});

function theView() {
  const inputs: CatalogInput[] = [
    { kind: 'add-source', source: sourceId('consul/dc1'), scope: all, at: 0 },
    { kind: 'add-peer', cluster: west, scope: all },
    says(east, 'consul/dc1', [
      service('shop/orders', [endpoint('a')], { labels: { tier: 'front' } }),
      service('shop/secret', [endpoint('s')]),
      service('bank/ledger', [endpoint('l')]),
    ]),
    says(west, 'consul/dc1', [
      service('shop/orders', [endpoint('w', { network: 'west-net' })], { labels: { tier: 'back', extra: '1' }, createdAt: 1 }),
      service('shop/imported', [endpoint('i')]),
    ]),
  ];
  let state = initialState(east);
  let view = emptyView(east);
  for (const input of inputs) {
    const next = reduce(state, input);
    state = next.state;
    view = nextView(view, state, next.services, next.gateways).view;
  }
  return view;
}

test('nothing is exported until a policy selects it for that peer', () => {
  const view = theView();
  assert.equal(exportsFor(west, view, []).size, 0);
  const toWest = [policy('shop', ['orders'], ['west'])];
  assert.deepEqual([...exportsFor(west, view, toWest).keys()], ['shop/orders']);
  assert.equal(exportsFor(north, view, toWest).size, 0);
  assert.deepEqual([...exportsFor(north, view, [policy('*', ['*/ledger', 'shop/o*'], ['*'])]).keys()], ['bank/ledger', 'shop/orders']);
});

test('what a peer exports to us is never exported again, nor do its words show in what we say of our own', () => {
  const exports = exportsFor(north, theView(), [policy('*', ['*'], ['*'])]);
  assert.deepEqual([...exports.keys()], ['bank/ledger', 'shop/orders', 'shop/secret']);
  const orders = exports.get(serviceKey('shop', 'orders'));
  assert.deepEqual(
    orders?.endpoints.map((e) => e.key),
    ['east/consul/dc1/a'],
  );
  assert.deepEqual(orders?.labels, { tier: 'front' });
  assert.equal(orders?.createdAt, 1_000);
  assert.deepEqual(orders?.policies, ['*/p']);
});

test("labels must all hold, and count our own sources' labels only", () => {
  const view = theView();
  const key = serviceKey('shop', 'orders');
  assert.ok(exportService(key, west, view, [policy('shop', ['*'], ['west'], { tier: 'front' })]));
  assert.equal(exportService(key, west, view, [policy('shop', ['*'], ['west'], { tier: 'back' })]), undefined);
  assert.equal(exportService(key, west, view, [policy('shop', ['*'], ['west'], { tier: 'front', extra: '1' })]), undefined);
  assert.equal(exportService(key, west, view, [policy('shop', ['*'], ['west'], { constructor: 'x' })]), undefined);
});

test('a policy speaks for its own namespace only', () => {
  assert.equal(exportsFor(west, theView(), [policy('bank', ['orders', 'shop/orders'], ['west'])]).size, 0);
});
