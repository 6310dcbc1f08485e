import assert from 'node:assert/strict';
import test from 'node:test';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { codes, hostSuffix, meshService, modelOf } from '../../support/traffic-model.ts';
import { rule, serviceEntry, sidecar, to, virtualService } from '../../support/traffic-objects.ts';

const names = ['shop/web', 'shop/pay', 'bank/pay', 'bank/audit', 'isthmus-system/status'];
const services = names.map((name) => meshService(name));

/** What a workload of a namespace sees; undefined: everything. */
function seen(objects: readonly TrafficObject[], namespace: string, labels: Record<string, string> = {}): readonly string[] | undefined {
  const egress = modelOf(objects, services).clients.egress({ namespace, labels });
  return egress === undefined ? undefined : names.filter((name) => egress.names(name as ServiceKey));
}

const hosts = (...egressHosts: string[]) => ({ egressHosts });

test('without a Sidecar, or with one that says nothing of egress, everything is seen', () => {
  assert.equal(seen([], 'shop'), undefined);
  assert.equal(seen([sidecar('shop/default')], 'shop'), undefined);
  assert.equal(seen([sidecar('bank/default', hosts('./*'))], 'shop'), undefined);
});

test('hosts name services by namespace and name, in every form that a host has', () => {
  const of = (...list: string[]) => seen([sidecar('shop/default', hosts(...list))], 'shop');
  assert.deepEqual(of('./*'), ['shop/web', 'shop/pay']);
  assert.deepEqual(of('*/*'), names);
  assert.deepEqual(of('~/*'), []);
  assert.deepEqual(of('bank/pay'), ['bank/pay']);
  assert.deepEqual(of('*/pay'), ['shop/pay', 'bank/pay']);
  assert.deepEqual(of('*/pay.bank.mesh.internal'), ['bank/pay']);
  assert.deepEqual(of('./pay.bank.svc.cluster.local'), [], 'another namespace than the host says');
  assert.deepEqual(of('*/*.bank.svc.cluster.local'), ['bank/pay', 'bank/audit']);
  assert.deepEqual(of('isthmus-system/*', './web'), ['shop/web', 'isthmus-system/status']);
});

test("a host that a ServiceEntry gives names the entry's service", () => {
  const entry = serviceEntry('bank/audit', ['ledger.example.com']);
  assert.deepEqual(seen([entry, sidecar('shop/default', hosts('bank/ledger.example.com'))], 'shop'), ['bank/audit']);
  assert.deepEqual(seen([entry, sidecar('shop/default', hosts('*/*.example.com'))], 'shop'), ['bank/audit']);
});

test('the Sidecar that selects a workload comes before that of its namespace, and that before the one of the root namespace', () => {
  const objects = [
    sidecar('isthmus-system/default', hosts('./*', 'isthmus-system/*')),
    sidecar('bank/default', hosts('bank/*', 'shop/pay')),
    sidecar('bank/audit', { ...hosts('bank/audit'), workloadSelector: { app: 'audit' } }),
    sidecar('isthmus-system/some', { ...hosts('~/*'), workloadSelector: { app: 'audit' } }),
  ];
  assert.deepEqual(seen(objects, 'shop', { app: 'audit' }), ['shop/web', 'shop/pay', 'isthmus-system/status'], '. is its own namespace');
  assert.deepEqual(seen(objects, 'bank'), ['shop/pay', 'bank/pay', 'bank/audit']);
  assert.deepEqual(seen(objects, 'bank', { app: 'audit', tier: 'back' }), ['bank/audit']);
});

test('one that selects and says nothing of egress leaves that to the next', () => {
  const objects = [sidecar('bank/audit', { workloadSelector: { app: 'audit' } }), sidecar('bank/default', hosts('./*'))];
  assert.deepEqual(seen(objects, 'bank', { app: 'audit' }), ['bank/pay', 'bank/audit']);
});

test('of several the oldest counts, and the others are found; so are hosts that nobody has', () => {
  const objects = [
    sidecar('shop/a', { ...hosts('~/*'), createdAt: 2 }),
    sidecar('shop/b', hosts('./web', 'bank/nobody', 'bank/web.shop.mesh.internal')),
  ];
  assert.deepEqual(seen(objects, 'shop'), ['shop/web']);
  assert.deepEqual(codes(modelOf(objects, services)), [
    'conflict Sidecar shop/a spec',
    'unknown-host Sidecar shop/b spec.egress',
    'unknown-host Sidecar shop/b spec.egress',
  ]);
});

test('rules of clients are another object only where an answer may differ', () => {
  const compiler = createTrafficCompiler({ hostSuffix });
  const own = sidecar('shop/default', hosts('./*'));
  const first = compiler.update([own], viewOf(services));
  const more = compiler.update([own, virtualService('shop/v', ['web'], [rule('r', [to('pay')])])], viewOf(services), new Set());
  assert.notEqual(more, first);
  assert.equal(more.clients, first.clients);
  assert.equal(more.clients.egress({ namespace: 'shop', labels: {} }), first.clients.egress({ namespace: 'shop', labels: { a: 'b' } }));
  const other = compiler.update([sidecar('shop/default', hosts('~/*'))], viewOf(services), new Set());
  assert.notEqual(other.clients, first.clients);
});
