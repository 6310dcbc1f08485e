import assert from 'node:assert/strict';
import test from 'node:test';
import { createTrafficCompiler, type TrafficModel } from '../../../control/routing/index.ts';
import type { DestinationPolicy, TrafficObject } from '../../../core/config/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { codes, hostSuffix, meshService, modelOf } from '../../support/traffic-model.ts';
import { destinationRule, subset } from '../../support/traffic-objects.ts';

const pay = meshService('shop/pay', { 80: 'http', 9000: 'grpc' });
const policy = (more: Partial<DestinationPolicy>): DestinationPolicy => ({ ports: [], ...more });

interface Said {
  readonly exportTo?: readonly string[];
  readonly host?: string;
  readonly createdAt?: number;
}

/** Its policy says its own number. */
const max = (id: string, maxConnections: number, { host = 'pay.shop', ...more }: Said = {}) =>
  destinationRule(id, host, { policy: policy({ connections: { maxConnections } }), ...more });

/** What callers of a namespace keep to. */
function kept(model: TrafficModel, namespace: string): number | undefined {
  const traffic = model.service(pay.key);
  return (traffic?.callers.get(namespace) ?? traffic)?.policies.get(80)?.traffic?.connections?.maxConnections;
}

const keptBy = (objects: readonly TrafficObject[], ...namespaces: string[]) => {
  const model = modelOf(objects, [pay]);
  return namespaces.map((namespace) => kept(model, namespace));
};

test("first the caller's namespace, then the service's, then the root", () => {
  const [web, shop, root] = [max('web/r', 1), max('shop/r', 2, { host: 'pay' }), max('isthmus-system/r', 3)];
  assert.deepEqual(keptBy([web, shop, root], 'web', 'bank', 'shop', 'isthmus-system'), [1, 2, 2, 2]);
  assert.deepEqual(keptBy([web, root], 'web', 'bank', 'shop', 'isthmus-system'), [1, 3, 3, 3]);
  assert.deepEqual(keptBy([web], 'web', 'bank'), [1, undefined]);
  const wild = max('web/r', 4, { host: '*' });
  assert.deepEqual(keptBy([wild, shop], 'web', 'bank'), [4, 2], 'a namespace comes before how specific a host is');
});

test('who does not see a rule looks on', () => {
  const root = max('isthmus-system/r', 9);
  assert.deepEqual(keptBy([max('web/r', 1, { exportTo: ['.'] }), root], 'web', 'bank'), [1, 9]);
  const own = max('shop/r', 2, { host: 'pay', exportTo: ['.'] });
  assert.deepEqual(keptBy([own, root], 'shop', 'web'), [2, 9]);
  const some = max('shop/r', 3, { host: 'pay', exportTo: ['web', 'till'] });
  assert.deepEqual(keptBy([some, root], 'web', 'till', 'bank', 'shop'), [3, 3, 9, 9]);
  const rootSome = max('isthmus-system/r', 4, { exportTo: ['web'] });
  assert.deepEqual(keptBy([rootSome], 'web', 'bank'), [4, undefined]);
  assert.deepEqual(keptBy([max('web/r', 5, { exportTo: ['bank'] }), root], 'web', 'bank'), [9, 9], 'web hides it from itself');
  const gateways = max('isthmus-system/g', 6, { exportTo: ['.'] });
  const shop = max('shop/r', 7, { host: 'pay' });
  assert.deepEqual(keptBy([gateways, shop, root], 'isthmus-system', 'web'), [6, 7], 'what is for the root alone is for gateways');
});

test('a rule stands in the place of the others as a whole, by port and subset too', () => {
  const random = { type: 'random' } as const;
  const shop = destinationRule('shop/r', 'pay', {
    policy: policy({ connections: { maxConnections: 2 } }),
    subsets: [subset('v1'), subset('v2')],
  });
  const web = destinationRule('web/r', 'pay.shop', {
    policy: policy({ loadBalancer: random, ports: [{ port: 9000, policy: { connections: { maxRequests: 1 } } }] }),
    subsets: [subset('v2', { version: 'v2', tier: 'web' }), subset('v3')],
  });
  const model = modelOf([shop, web], [pay]);
  const traffic = model.service(pay.key);
  const own = traffic?.callers.get('web');
  assert.deepEqual(own?.rules, ['web/r']);
  assert.deepEqual(traffic?.rules, ['shop/r']);
  assert.deepEqual(own?.policies.get(80), { traffic: { loadBalancer: random } }, 'nothing of the rule in shop');
  assert.deepEqual(own?.policies.get(9000), { traffic: { connections: { maxRequests: 1 } } });
  const names = ['v1', 'v2', 'v3'];
  assert.deepEqual([own?.subsets.map((s) => s.name), traffic?.subsets.map((s) => s.name)], [names, names], 'routes may name any');
  assert.deepEqual(own?.subsets[1]?.labels, { version: 'v2', tier: 'web' });
  assert.deepEqual(own?.subsets[1]?.policies.get(80), { traffic: { loadBalancer: random } });
  assert.deepEqual(traffic?.subsets[1]?.labels, { version: 'v2' });
  assert.deepEqual(
    codes(model).filter((code) => code.startsWith('conflict')),
    ['conflict DestinationRule web/r spec.subsets[0].labels'],
    'a gateway cannot tell for whom it carries',
  );
});

test('several rules of the namespace for one host are one, and its findings are told once', () => {
  const older = max('web/a', 1);
  const younger = max('web/b', 2, { createdAt: 5 });
  const model = modelOf([younger, older, max('shop/r', 3, { host: 'pay', exportTo: ['.', 'till'] })], [pay]);
  assert.equal(kept(model, 'web'), 1);
  assert.deepEqual(model.service(pay.key)?.callers.get('web')?.rules, ['web/a', 'web/b']);
  assert.deepEqual(
    codes(model).filter((code) => code.startsWith('conflict')),
    ['conflict DestinationRule web/b spec.trafficPolicy'],
  );
});

test('nobody is apart where all are told the same, and that is followed', () => {
  const stock = meshService('shop/stock');
  const view = viewOf([pay, stock]);
  const compiler = createTrafficCompiler({ hostSuffix });
  const shop = max('shop/r', 2, { host: 'pay' });
  const plain = compiler.update([shop], view);
  assert.deepEqual([plain.differsFor('shop'), plain.differsFor('web'), plain.service(pay.key)?.callers.size], [false, false, 0]);
  const web = max('web/r', 1, { host: '*.shop.mesh.internal' });
  const wide = compiler.update([shop, web], view, new Set());
  assert.deepEqual([wide.differsFor('web'), wide.differsFor('bank')], [true, false]);
  assert.deepEqual([...wide.changed.services].sort(), ['shop/pay', 'shop/stock']);
  const narrow = compiler.update([shop, max('web/r', 1)], view, new Set());
  assert.equal(narrow.differsFor('web'), true);
  const gone = compiler.update([shop], view, new Set());
  assert.deepEqual([gone.differsFor('web'), wide.differsFor('web')], [false, true], 'a model before is not touched');
  assert.equal(gone.service(pay.key)?.callers.size, 0);
});
