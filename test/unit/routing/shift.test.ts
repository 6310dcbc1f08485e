import assert from 'node:assert/strict';
import test from 'node:test';
import { belongsTo, createTrafficCompiler, type Subset, selectEndpoint } from '../../../control/routing/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import { serviceOf, viewOf } from '../../support/catalog-view.ts';
import { codes, hostSuffix, leads, meshService, modelOf, routingOf } from '../../support/traffic-model.ts';
import {
  callersOf,
  destinationRule,
  prefix,
  routeObject,
  rule,
  subset,
  to,
  trafficShift,
  virtualService,
} from '../../support/traffic-objects.ts';

const ports = { 80: 'http', 9000: 'grpc', 5432: 'tcp', 8443: 'tls' } as const;
const orders = meshService('shop/orders', ports);
const pay = meshService('shop/pay');
const shop = [orders, pay];
const cluster = (side: string, port = 80) => `outbound|${port}|${side}|orders.shop.mesh.internal`;
const old = cluster('isthmus-from');
const fresh = cluster('isthmus-to');

function l4Of(model: ReturnType<typeof modelOf>, port: number) {
  return routingOf(model, 'shop/orders', port)?.l4.map((r) => [r.name, r.destinations.map((d) => [d.destination.cluster, d.weight])]);
}

test('a service without rules gets one for each of its ports, the new side first, with weights of one sum', () => {
  for (const [weight, expected] of [
    [0, old],
    [0.1, `${fresh} 1 + ${old} 999`],
    [1, `${fresh} 10 + ${old} 990`],
    [29, `${fresh} 290 + ${old} 710`],
    [50, `${fresh} 500 + ${old} 500`],
    [57.7, `${fresh} 577 + ${old} 423`],
    [99.9, `${fresh} 999 + ${old} 1`],
    [100, fresh],
  ] as const) {
    const model = modelOf([trafficShift('shop/orders', weight)], shop);
    assert.deepEqual(leads(routingOf(model, 'shop/orders')), [['default', expected]], String(weight));
    assert.deepEqual(
      model.service(orders.key)?.subsets.map((s) => s.name),
      ['isthmus-from', 'isthmus-to'],
      'both are there at any weight',
    );
    assert.equal(model.service(pay.key), undefined);
    assert.deepEqual(model.findings, []);
  }
  const model = modelOf([trafficShift('shop/orders', 25)], shop);
  for (const port of [5432, 8443]) {
    const both = [
      [cluster('isthmus-to', port), 250],
      [cluster('isthmus-from', port), 750],
    ];
    assert.deepEqual(l4Of(model, port), [['default', both]]);
  }
  assert.deepEqual(leads(routingOf(model, 'shop/orders', 9000)), [
    ['default', `${cluster('isthmus-to', 9000)} 250 + ${cluster('isthmus-from', 9000)} 750`],
  ]);
});

test('each destination that names the whole service is split within its own weight, whoever names it', () => {
  const shift = trafficShift('shop/orders', 10);
  const weighted = rule('r', [to('orders', { weight: 30 }), to('pay', { weight: 70 })]);
  const others = modelOf([virtualService('shop/v', ['pay'], [weighted]), shift], shop);
  assert.deepEqual(
    leads(routingOf(others, 'shop/pay')),
    [['r', `${fresh} 3000 + ${old} 27000 + outbound|80||pay.shop.mesh.internal 70000`]],
    'of another service',
  );
  const changes = { set: [['x-side', 'orders']] as const, add: [], remove: [] };
  const headed = rule('r', [{ ...to('orders'), requestHeaders: changes }]);
  const found = routingOf(modelOf([virtualService('shop/v', ['orders'], [headed]), shift], shop), 'shop/orders')?.virtualHosts[0]?.rules[0];
  assert.ok(found?.action.type === 'route');
  assert.deepEqual(
    found.action.destinations.map((d) => d.requestHeaders),
    [changes, changes],
  );
  const delegate = virtualService('shop/leaf', [], [rule('leaf', [to('orders')])], { parents: [] });
  const root = rule('root', [], { delegate: { namespace: 'shop', name: 'leaf' } });
  const delegated = modelOf([virtualService('shop/v', ['pay'], [root]), delegate, shift], shop);
  assert.deepEqual(leads(routingOf(delegated, 'shop/pay')), [['root-leaf', `${fresh} 100 + ${old} 900`]]);
  const attached = routeObject('HTTPRoute', 'web/r', {
    parents: [callersOf('shop/orders')],
    http: [rule('web', [{ destination: { host: 'shop/orders', service: true }, weight: 1 }])],
  });
  const backend = { destination: { host: 'shop/orders', service: true, port: 80 }, weight: 5 };
  const own = routeObject('GRPCRoute', 'shop/r', { parents: [callersOf('shop/orders')], http: [rule('own', [backend])] });
  assert.deepEqual(leads(routingOf(modelOf([own, shift], shop), 'shop/orders')), [['own', `${fresh} 500 + ${old} 4500`]]);
  const consumer = leads(routingOf(modelOf([attached, shift], shop), 'shop/orders'));
  assert.deepEqual(consumer?.at(-1), ['default', `${fresh} 100 + ${old} 900`], 'who is not among the callers of a route');
  const bytes = routeObject('TCPRoute', 'shop/t', {
    parents: [callersOf('shop/orders')],
    l4: [
      {
        type: 'tcp',
        name: 't',
        ports: [],
        matches: [],
        destinations: [to('orders', { port: 5432, weight: 0 }), to('pay', { port: 80, weight: 2 })],
      },
    ],
  });
  assert.deepEqual(l4Of(modelOf([bytes, shift], shop), 5432)?.[0], [
    't',
    [
      [cluster('isthmus-from', 5432), 0],
      ['outbound|80||pay.shop.mesh.internal', 2_000],
    ],
  ]);
});

test('weights of one rule never pass what Envoy can add up, and none of them is lost', () => {
  const heavy = rule('r', [to('orders', { weight: 2 ** 31 - 1 }), to('pay', { weight: 1 })]);
  const routing = routingOf(modelOf([virtualService('shop/v', ['pay'], [heavy]), trafficShift('shop/orders', 0.1)], shop), 'shop/pay');
  const action = routing?.virtualHosts[0]?.rules[0]?.action;
  const weights = action?.type === 'route' ? action.destinations.map((d) => d.weight) : [];
  assert.equal(weights.length, 3);
  assert.ok(weights.every((w) => Number.isInteger(w) && w >= 1));
  assert.ok(weights.reduce((a, b) => a + b, 0) <= 2 ** 32 - 1);
  assert.ok(Math.abs((weights[0] ?? 0) / ((weights[0] ?? 0) + (weights[1] ?? 1)) - 0.001) < 1e-9);
});

test('rules with subsets of their own are left alone and told of, and so is what is of neither side or of both', () => {
  const rules = destinationRule('shop/orders', 'orders', { subsets: [subset('v1')] });
  const v = virtualService(
    'shop/v',
    ['orders'],
    [rule('v1', [to('orders', { subset: 'v1' })], { matches: [prefix('/v1')] }), rule('r', [to('orders')])],
  );
  const endpoints = [
    { instance: 'a', sources: ['file/old'] },
    { instance: 'b', sources: ['vm/agent', 'file/new'] },
    { instance: 'c', sources: ['nomad/x'] },
    { instance: 'd', sources: ['file/new', 'file/old'] },
  ];
  const service = meshService('shop/orders', { 80: 'http' }, endpoints);
  const model = modelOf([trafficShift('shop/orders', 50, {}, 'move'), v, rules], [service, pay]);
  assert.deepEqual(leads(routingOf(model, 'shop/orders')), [
    ['v1', cluster('v1')],
    ['r', `${fresh} 500 + ${old} 500`],
  ]);
  assert.deepEqual(
    codes(model).filter((code) => code.includes('Migration')),
    [
      'migration-subset Migration shop/move spec.service',
      'migration-both-sides Migration shop/move spec.to',
      'migration-other-side Migration shop/move spec.from',
    ].sort((a, b) => ((a.split(' ')[3] ?? '') < (b.split(' ')[3] ?? '') ? -1 : 1)),
  );
  const members = (name: string) => {
    const found = model.service(service.key)?.subsets.find((s) => s.name === name);
    return service.endpoints.filter((e) => belongsTo(found as Subset, e)).map((e) => e.instance);
  };
  assert.deepEqual(members('isthmus-from'), ['a', 'd'], 'what both know is the old side’s');
  assert.deepEqual(members('isthmus-to'), ['b'], 'another’s record of the same place may have won');
  const named = service.endpoints.filter((e) => selectEndpoint({ 'isthmus.dev/registry': 'file.new' }, e));
  assert.deepEqual(
    named.map((e) => e.instance),
    ['b', 'd'],
  );
});

test('a shift of nothing, and a second one of the same service, are findings and do nothing', () => {
  const model = modelOf(
    [trafficShift('shop/lost', 50), trafficShift('shop/orders', 10, {}, 'b'), trafficShift('shop/orders', 90, {}, 'a')],
    shop,
  );
  assert.deepEqual(codes(model), ['conflict Migration shop/b spec.service', 'dangling-reference Migration shop/lost spec.service']);
  assert.deepEqual(leads(routingOf(model, 'shop/orders')), [['default', `${fresh} 900 + ${old} 100`]]);
});

test('what holds for the whole service holds for either side, for callers of each namespace', () => {
  const random = { ports: [], loadBalancer: { type: 'random' }, connections: { maxRequests: 7 } } as const;
  const all = destinationRule('shop/all', 'orders', { policy: random, subsets: [subset('v1')] });
  const web = destinationRule('web/own', 'orders.shop', { policy: { ports: [], connections: { maxRequests: 3 } } });
  const traffic = modelOf([all, web, trafficShift('shop/orders', 1)], shop).service(orders.key);
  const sides = (of: { readonly subsets: readonly Subset[] } | undefined) =>
    of?.subsets.filter((s) => s.source !== undefined).map((s) => s.policies.get(80)?.traffic?.connections?.maxRequests);
  assert.deepEqual(sides(traffic), [7, 7]);
  assert.deepEqual(sides(traffic?.callers.get('web')), [3, 3]);
});

test('copies go to the new side where a rule leads to this service alone; those that people ask for stay on the old one until it is left', () => {
  const mirrors = (model: ReturnType<typeof modelOf>, id = 'shop/orders') =>
    routingOf(model, id)?.virtualHosts[0]?.rules.map(({ action }) =>
      action.type === 'route' ? action.mirrors.map((m) => [m.destination.cluster, m.percent]) : [],
    );
  const mirrored = trafficShift('shop/orders', 0, { mirrorPercent: 20 });
  assert.deepEqual(mirrors(modelOf([mirrored], shop)), [[[fresh, 20]]]);
  const mixed = virtualService('shop/v', ['orders'], [rule('r', [to('orders'), to('pay')])]);
  assert.deepEqual(mirrors(modelOf([mirrored, mixed], shop)), [[]]);
  const asked = virtualService(
    'shop/v',
    ['pay'],
    [rule('r', [], { action: { type: 'route', destinations: [to('pay')], mirrors: [{ destination: { host: 'orders' }, percent: 50 }] } })],
  );
  for (const [weight, side] of [
    [0, old],
    [99, old],
    [100, fresh],
  ] as const) {
    assert.deepEqual(mirrors(modelOf([trafficShift('shop/orders', weight), asked], shop), 'shop/pay'), [[[side, 50]]]);
  }
});

test('a step looks again at the service and at who leads to it, and at nothing else; taken away, nothing is left of it', () => {
  const objects = [virtualService('shop/v', ['pay'], [rule('r', [to('orders')])])];
  const others = [meshService('shop/a'), meshService('shop/b')];
  const compiler = createTrafficCompiler({ hostSuffix });
  const view = viewOf([...shop, ...others]);
  const before = compiler.update(objects, view);
  const started = compiler.update([...objects, trafficShift('shop/orders', 1)], view, new Set());
  const count = compiler.compiled;
  const stepped = compiler.update([...objects, trafficShift('shop/orders', 5)], view, new Set());
  assert.equal(compiler.compiled - count, 3, 'the service, who leads to it, the object');
  assert.deepEqual([...stepped.changed.services].sort(), ['shop/orders', 'shop/pay']);
  assert.equal(stepped.service('shop/orders' as ServiceKey)?.subsets, started.service('shop/orders' as ServiceKey)?.subsets);
  const after = compiler.update(objects, view, new Set());
  assert.equal(after.service('shop/orders' as ServiceKey), undefined);
  assert.deepEqual(leads(routingOf(after, 'shop/pay')), leads(routingOf(before, 'shop/pay')));
});

test('endpoints of neither side are in no side’s cluster', () => {
  const { endpoints } = serviceOf('orders', [{ instance: 'x', cluster: 'west', sources: ['file/old'] }]);
  const source = { of: { cluster: 'east', registry: 'file/old' } };
  assert.equal(
    endpoints.some((e) => belongsTo({ labels: {}, source }, e)),
    false,
    'the same source of another cluster',
  );
});
