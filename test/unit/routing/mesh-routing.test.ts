import assert from 'node:assert/strict';
import test from 'node:test';
import type { MergedService } from '../../../control/catalog/index.ts';
import { codes, leads, meshService, modelOf, routingOf } from '../../support/traffic-model.ts';
import {
  callersOf,
  destinationRule,
  grant,
  prefix,
  routeObject,
  rule,
  segments,
  serviceEntry,
  subset,
  to,
  virtualService,
} from '../../support/traffic-objects.ts';

const orders = meshService('shop/orders');
const pay = meshService('shop/pay', { 80: 'http', 9000: 'grpc', 5432: 'tcp', 8443: 'tls' });
const shop: readonly MergedService[] = [orders, pay];
const ordersCluster = 'outbound|80||orders.shop.mesh.internal';

test('weights over subsets lead to the clusters of those subsets, whatever Host the caller sends', () => {
  const split = rule('r', [to('orders', { subset: 'v1', weight: 99 }), to('orders', { subset: 'v2', weight: 1 })]);
  const rules = destinationRule('shop/orders', 'orders', { subsets: [subset('v1'), subset('v2')] });
  const model = modelOf([virtualService('shop/orders', ['orders'], [split]), rules], shop);
  const routing = routingOf(model, 'shop/orders');
  assert.deepEqual(leads(routing), [['r', 'outbound|80|v1|orders.shop.mesh.internal 99 + outbound|80|v2|orders.shop.mesh.internal 1']]);
  assert.deepEqual(routing?.virtualHosts[0]?.domains, ['*']);
  assert.deepEqual(
    model.service(orders.key)?.subsets.map((s) => s.name),
    ['v1', 'v2'],
  );
  assert.equal(model.service(pay.key), undefined, 'of what nothing is said, nothing is compiled');
});

test('every name of a service is that service', () => {
  const names = [
    'orders',
    'orders.shop',
    'orders.shop.svc',
    'orders.shop.svc.cluster.local',
    'orders.shop.svc.clusterset.local',
    'orders.shop.mesh.internal',
    'Orders.Shop.mesh.internal.',
    '*.shop.mesh.internal',
    '*.shop.svc.cluster.local',
    '*',
  ];
  for (const name of names) {
    const model = modelOf([virtualService('shop/v', [name], [rule('r', [to(name.startsWith('*') ? 'orders' : name)])])], shop);
    assert.deepEqual(leads(routingOf(model, 'shop/orders')), [['r', ordersCluster]], name);
  }
  const elsewhere = modelOf([virtualService('web/v', ['orders'], [rule('r', [to('orders')])])], shop);
  assert.equal(routingOf(elsewhere, 'shop/orders'), undefined, 'a short name is one of its own namespace');
  for (const name of ['orders.web', 'x.orders.shop.mesh.internal', '*.web.mesh.internal', 'orders.shop.example.com']) {
    assert.equal(routingOf(modelOf([virtualService('shop/v', [name], [rule('r', [to('orders')])])], shop), 'shop/orders'), undefined, name);
  }
});

test('hosts of a ServiceEntry are names of the service that its object is', () => {
  const entry = serviceEntry('shop/bank', ['api.bank.example', 'bank.example']);
  const objects = [entry, virtualService('shop/v', ['api.bank.example'], [rule('r', [to('bank.example', { port: 443 })])])];
  const model = modelOf(objects, [...shop, meshService('shop/bank', { 80: 'http', 443: 'tls' })]);
  assert.deepEqual(leads(routingOf(model, 'shop/bank')), [['r', 'outbound|443||bank.shop.mesh.internal']]);
});

test('rules for other ports or gateways are left out, and a port that none of the rules is about is as if there were none', () => {
  const forPort = (name: string, ports: readonly number[], gateways: readonly string[] = []) =>
    rule(name, [to('pay')], { matches: [prefix('/')], conditions: [{ ports, gateways }] });
  const v = virtualService(
    'shop/v',
    ['pay'],
    [forPort('eighty', [80]), forPort('nine', [9000], ['mesh']), forPort('edge', [], ['shop/edge'])],
  );
  const model = modelOf([v], shop);
  assert.deepEqual(leads(routingOf(model, 'shop/pay', 80)), [['eighty', 'outbound|80||pay.shop.mesh.internal']]);
  assert.deepEqual(leads(routingOf(model, 'shop/pay', 9000)), [['nine', 'outbound|9000||pay.shop.mesh.internal']]);
  assert.equal(routingOf(model, 'shop/pay', 5432), undefined, 'http rules say nothing of a tcp port');
  const edge = modelOf([virtualService('shop/v', ['pay'], [forPort('edge', [], ['shop/edge'])])], shop);
  assert.equal(routingOf(edge, 'shop/pay'), undefined);
});

test('the port of a destination: what it names, the only one, or that of the listener', () => {
  const model = modelOf(
    [virtualService('shop/v', ['pay'], [rule('r', [to('pay'), to('orders'), to('pay', { port: 9000 }), to('pay', { port: 1 })])])],
    shop,
  );
  assert.deepEqual(leads(routingOf(model, 'shop/pay')), [
    ['r', `outbound|80||pay.shop.mesh.internal 1 + ${ordersCluster} 1 + outbound|9000||pay.shop.mesh.internal 1 + 503 1`],
  ]);
});

test('what leads nowhere keeps its share: 503 for Istio, 500 for the Gateway API; copies that lead nowhere are not made', () => {
  const mirrors = [
    { destination: { host: 'gone' }, percent: 100 },
    { destination: { host: 'pay' }, percent: 5 },
  ];
  const action = { type: 'route' as const, destinations: [to('orders', { weight: 3 }), to('gone', { weight: 1 })], mirrors };
  const istio = modelOf([virtualService('shop/v', ['orders'], [rule('r', [], { action })])], shop);
  assert.deepEqual(leads(routingOf(istio, 'shop/orders')), [['r', `${ordersCluster} 3 + 503 1`]]);
  const compiled = routingOf(istio, 'shop/orders')?.virtualHosts[0]?.rules[0]?.action;
  assert.deepEqual(compiled?.type === 'route' && compiled.mirrors, [
    { destination: { cluster: 'outbound|80||pay.shop.mesh.internal' }, percent: 5 },
  ]);
  const ref = (name: string, weight = 1) => to(name, { service: true, port: 80, weight });
  const route = (destinations: ReturnType<typeof to>[]) =>
    leads(
      routingOf(
        modelOf([routeObject('HTTPRoute', 'shop/h', { parents: [callersOf('shop/orders')], http: [rule('r', destinations)] })], shop),
        'shop/orders',
      ),
    );
  assert.deepEqual(route([ref('shop/orders', 3), ref('shop/gone')]), [['r', `${ordersCluster} 3 + 500 1`]]);
  assert.deepEqual(route([ref('shop/orders', 0)]), [['r', '500']], 'a weight of 0 is one, alone too');
  assert.deepEqual(route([]), [['r', '500']]);
});

test('VirtualServices in the mesh are not merged: the most specific host, then the oldest', () => {
  const v = (name: string, host: string, createdAt: number) =>
    virtualService(`shop/${name}`, [host], [rule(name, [to('orders')])], { createdAt });
  const model = modelOf([v('young', 'orders', 9), v('old', 'orders.shop', 3), v('wild', '*', 1)], shop);
  assert.deepEqual(leads(routingOf(model, 'shop/orders')), [['old', ordersCluster]]);
  assert.ok(codes(model).includes('conflict VirtualService shop/young spec.hosts'));
  assert.ok(!codes(model).some((c) => c.startsWith('conflict VirtualService shop/wild')), 'a wildcard is meant for the rest');
});

test('who a VirtualService is not exported to does not see it', () => {
  const web = virtualService('web/v', ['orders.shop'], [rule('web', [to('pay.shop')], { matches: [prefix('/a')] })], {
    exportTo: ['.'],
    createdAt: 1,
  });
  const all = virtualService('shop/v', ['orders'], [rule('all', [to('orders')])], { createdAt: 5 });
  const rules = (objects: Parameters<typeof modelOf>[0]) => routingOf(modelOf(objects, shop), 'shop/orders')?.virtualHosts[0]?.rules;
  const both = rules([all, web]);
  assert.deepEqual(
    both?.map((r) => [r.name, r.matches.map((m) => m.sourceNamespace)]),
    [
      ['web', ['web']],
      ['web/v/no-match', ['web']],
      ['all', []],
    ],
  );
  assert.deepEqual(rules([web])?.at(-1), {
    name: 'default',
    matches: [],
    action: { type: 'route', destinations: [{ destination: { cluster: ordersCluster }, weight: 1 }], mirrors: [] },
  });
});

test('routes of consumers hold for callers of their namespace alone, before those of the producer', () => {
  const route = (id: string, createdAt: number) =>
    routeObject('HTTPRoute', id, {
      parents: [callersOf('shop/orders')],
      createdAt,
      http: [rule(id, [to('shop/orders', { service: true, port: 80 })])],
    });
  const objects = [route('shop/own', 1), route('web/theirs', 2), grant('shop/g', { kind: 'HTTPRoute', namespace: 'web' })];
  const found = routingOf(modelOf(objects, shop), 'shop/orders')?.virtualHosts[0]?.rules;
  assert.deepEqual(
    found?.map((r) => [r.name, r.matches.map((m) => m.sourceNamespace)]),
    [
      ['web/theirs', ['web']],
      ['web/theirs/no-match', ['web']],
      ['shop/own', []],
    ],
  );
});

test('references into another namespace need a grant there', () => {
  const route = routeObject('HTTPRoute', 'web/h', {
    parents: [callersOf('shop/orders')],
    http: [rule('r', [to('shop/orders', { service: true, port: 80 })])],
  });
  const first = (objects: Parameters<typeof modelOf>[0]) => leads(routingOf(modelOf([route, ...objects], shop), 'shop/orders'))?.[0];
  assert.deepEqual(first([]), ['r', '500']);
  assert.deepEqual(first([grant('shop/g', { kind: 'HTTPRoute', namespace: 'web' })]), ['r', ordersCluster]);
  assert.deepEqual(first([grant('shop/g', { kind: 'HTTPRoute', namespace: 'web' }, 'orders')]), ['r', ordersCluster]);
  for (const other of [
    grant('shop/g', { kind: 'HTTPRoute', namespace: 'web' }, 'pay'),
    grant('shop/g', { kind: 'GRPCRoute', namespace: 'web' }),
    grant('shop/g', { kind: 'HTTPRoute', namespace: 'shop' }),
    grant('web/g', { kind: 'HTTPRoute', namespace: 'web' }),
  ]) {
    assert.deepEqual(first([other]), ['r', '500']);
  }
});

test('the Gateway API merges routes: what says the most comes first, then the older', () => {
  const get = { type: 'exact' as const, value: 'GET' };
  const header = { name: 'x', value: { type: 'exact' as const, value: '1' } };
  const ref = [to('shop/orders', { service: true, port: 80 })];
  const route = (id: string, createdAt: number, matches: readonly (readonly [string, ReturnType<typeof segments>])[]) =>
    routeObject('HTTPRoute', id, {
      parents: [callersOf('shop/orders')],
      createdAt,
      http: matches.map(([name, match]) => rule(name, ref, { matches: [match] })),
    });
  const objects = [
    route('shop/young', 2, [
      ['young-a', segments('/a')],
      ['exact', { ...segments('/'), path: { type: 'exact', value: '/a' } }],
      ['header', { ...segments('/a'), headers: [header] }],
    ]),
    route('shop/old', 1, [
      ['old-a', segments('/a')],
      ['query', { ...segments('/a'), query: [header] }],
      ['method', { ...segments('/a'), method: get }],
      ['longer', segments('/a/b')],
    ]),
  ];
  const names = leads(routingOf(modelOf(objects, shop), 'shop/orders'))?.map(([name]) => name);
  assert.deepEqual(names, ['exact', 'longer', 'method', 'header', 'query', 'old-a', 'young-a']);
});

test('a route may be attached to one port of a service', () => {
  const route = routeObject('GRPCRoute', 'shop/g', {
    parents: [callersOf('shop/pay', 9000)],
    http: [rule('r', [to('shop/pay', { service: true, port: 9000 })])],
  });
  const model = modelOf([route], shop);
  assert.equal(routingOf(model, 'shop/pay', 80), undefined);
  assert.deepEqual(leads(routingOf(model, 'shop/pay', 9000)), [['r', 'outbound|9000||pay.shop.mesh.internal']]);
});

test('tls rules before tcp rules on tls ports, tcp rules alone on tcp ports', () => {
  const l4 = (type: 'tcp' | 'tls', name: string) => ({ type, name, ports: [], matches: [], destinations: [to('pay')] });
  const model = modelOf([virtualService('shop/v', ['pay'], [], { l4: [l4('tcp', 'bytes'), l4('tls', 'names')] })], shop);
  assert.deepEqual(
    routingOf(model, 'shop/pay', 8443)?.l4.map((r) => [r.name, r.destinations[0]?.destination.cluster]),
    [
      ['names', 'outbound|8443||pay.shop.mesh.internal'],
      ['bytes', 'outbound|8443||pay.shop.mesh.internal'],
    ],
  );
  assert.deepEqual(
    routingOf(model, 'shop/pay', 5432)?.l4.map((r) => r.name),
    ['bytes'],
  );
  assert.equal(routingOf(model, 'shop/pay', 80), undefined);
});
