import assert from 'node:assert/strict';
import test from 'node:test';
import type { TrafficObject } from '../../../core/config/index.ts';
import type { HttpMatch } from '../../../core/traffic/index.ts';
import { codes, meshService, modelOf } from '../../support/traffic-model.ts';
import {
  anyRequest,
  behind,
  callersOf,
  destinationRule,
  gateway,
  prefix,
  routeObject,
  rule,
  segments,
  serviceEntry,
  subset,
  to,
  virtualService,
} from '../../support/traffic-objects.ts';

const labelled = [
  { instance: 'a', labels: { version: 'v1' } },
  { instance: 'b', labels: { version: 'v1' } },
];
const services = [
  meshService('shop/orders', { 80: 'http' }, labelled),
  meshService('shop/pay', { 80: 'http', 5432: 'tcp' }),
  meshService('shop/db', { 5432: 'tcp' }),
];
const found = (...objects: readonly TrafficObject[]) => codes(modelOf(objects, services));
const v = (http: Parameters<typeof virtualService>[2], hosts: readonly string[] = ['orders']) => virtualService('shop/v', hosts, http);
const matched = (name: string, ...matches: readonly HttpMatch[]) => rule(name, [to('orders')], { matches });

test('a route that leads nowhere is told where', () => {
  const mirrors = [{ destination: { host: 'gone' }, percent: 1 }];
  const action = {
    type: 'route' as const,
    destinations: [to('orders', { weight: 50 }), to('orders', { weight: 50, subset: 'v9' })],
    mirrors,
  };
  assert.deepEqual(
    found(v([rule('a', [to('gone')]), rule('b', [], { action, matches: [] })], ['orders', 'nobody'])).filter(
      (c) => !c.startsWith('shadowed'),
    ),
    [
      'unknown-host VirtualService shop/v spec.hosts[1]',
      'dangling-reference VirtualService shop/v spec.http[0].route[0].destination',
      'dangling-reference VirtualService shop/v spec.http[1].mirrors[0].destination',
      'dangling-reference VirtualService shop/v spec.http[1].route[1].destination',
    ],
  );
  assert.deepEqual(found(v([rule('a', [to('pay', { port: 81 })])])), [
    'dangling-reference VirtualService shop/v spec.http[0].route[0].destination',
  ]);
  assert.deepEqual(found(v([rule('a', [], { delegate: { namespace: 'shop', name: 'd' } })])), [
    'dangling-reference VirtualService shop/v spec.http[0].delegate',
  ]);
  assert.deepEqual(found(virtualService('shop/v', ['x.example.com'], [rule('a', [to('orders')])], { parents: [behind('shop/gone')] })), [
    'dangling-reference VirtualService shop/v spec.gateways[0]',
  ]);
  const l4 = ['tcp-0-0', 'tcp-0-1', 'tcp-1'].map((name) => ({
    type: 'tcp' as const,
    name: `shop/v/${name}`,
    ports: [],
    matches: [],
    destinations: [to(name === 'tcp-1' ? 'gone' : 'db')],
  }));
  assert.deepEqual(found(virtualService('shop/v', ['db'], [], { l4 })), [
    'dangling-reference VirtualService shop/v spec.tcp[1].route[0].destination',
  ]);
});

test('routes of the Gateway API: parents, grants and backends', () => {
  const route = (id: string, parent: ReturnType<typeof callersOf>, to_: string, port: number) =>
    routeObject('HTTPRoute', id, { parents: [parent], http: [rule('r', [to(to_, { service: true, port })])] });
  assert.deepEqual(found(route('shop/a', callersOf('shop/gone'), 'shop/orders', 80)), [
    'dangling-reference HTTPRoute shop/a spec.parentRefs[0]',
  ]);
  assert.deepEqual(found(route('shop/a', callersOf('shop/pay', 81), 'shop/orders', 80)), [
    'dangling-reference HTTPRoute shop/a spec.parentRefs[0]',
  ]);
  assert.deepEqual(found(route('shop/a', callersOf('shop/pay'), 'shop/orders', 8)), [
    'dangling-reference HTTPRoute shop/a spec.rules[0].backendRefs[0]',
  ]);
  assert.deepEqual(found(route('web/a', callersOf('shop/pay'), 'shop/orders', 80)), [
    'reference-not-granted HTTPRoute web/a spec.rules[0].backendRefs[0]',
  ]);
});

test('a destination without port is the port that was asked for, which may not be there', () => {
  assert.deepEqual(found(v([rule('a', [to('pay')])])), []);
  const other = virtualService('shop/v', ['orders.shop'], [rule('a', [to('many')])]);
  const many = meshService('shop/many', { 81: 'http', 82: 'http' });
  assert.deepEqual(codes(modelOf([other], [...services, many])), [
    'dangling-reference VirtualService shop/v spec.http[0].route[0].destination',
  ]);
});

test('weights that do not sum', () => {
  const weights = (...list: readonly number[]) =>
    found(
      v([
        rule(
          'a',
          list.map((weight) => to('orders', { weight })),
        ),
      ]),
    );
  assert.deepEqual(weights(99, 1), []);
  assert.deepEqual(weights(1), []);
  assert.deepEqual(weights(0), [], 'the weight of an only destination means nothing');
  assert.deepEqual(weights(1, 1), ['weight-sum VirtualService shop/v spec.http[0].route']);
  assert.deepEqual(weights(0, 0), ['weight-sum VirtualService shop/v spec.http[0].route']);
});

test('rules that can never be reached', () => {
  const header = (value: string): HttpMatch => ({ ...anyRequest, headers: [{ name: 'x', value: { type: 'exact', value } }] });
  const headerLike = (value: string): HttpMatch => ({ ...anyRequest, headers: [{ name: 'x', value: { type: 'regex', value } }] });
  const path = (type: 'exact' | 'prefix' | 'segments' | 'regex', value: string): HttpMatch => ({ ...anyRequest, path: { type, value } });
  const hidden = (a: readonly HttpMatch[], b: readonly HttpMatch[]) => found(v([matched('a', ...a), matched('b', ...b)])).length > 0;
  const yes: readonly (readonly [readonly HttpMatch[], readonly HttpMatch[]])[] = [
    [[], [prefix('/a')]],
    [[], []],
    [[prefix('/')], [path('regex', '.*')]],
    [[prefix('/a')], [prefix('/ab'), path('exact', '/a')]],
    [[segments('/a')], [segments('/a/b')]],
    [[{ ...prefix('/A'), ignoreCase: true }], [prefix('/ab')]],
    [[header('1')], [{ ...header('1'), ...prefix('/a'), headers: header('1').headers }]],
    [[path('regex', 'a|b')], [path('regex', 'a|b')]],
    [[path('regex', '.*')], [prefix('/a')]],
    [[path('regex', '^/.*$')], [anyRequest]],
    [[headerLike('.*')], [header('1')]],
  ];
  const no: readonly (readonly [readonly HttpMatch[], readonly HttpMatch[]])[] = [
    [[prefix('/a')], []],
    [[prefix('/a')], [prefix('/a'), prefix('/b')]],
    [[segments('/a')], [prefix('/a')]],
    [[segments('/a')], [prefix('/a/')]],
    [[prefix('/a')], [{ ...prefix('/a'), ignoreCase: true }]],
    [[header('1')], [header('2')]],
    [[path('regex', '/a.*')], [prefix('/a')]],
    [[path('regex', '.*\\$')], [prefix('/a')]],
    [[headerLike('.*')], [anyRequest]],
    [[header('1')], [prefix('/a')]],
    [[{ ...anyRequest, sourceLabels: { app: 'x' } }], [anyRequest]],
    [[{ ...anyRequest, sourceNamespace: 'x' }], [anyRequest]],
  ];
  for (const [a, b] of yes) assert.ok(hidden(a, b), JSON.stringify([a, b]));
  for (const [a, b] of no) assert.ok(!hidden(a, b), JSON.stringify([a, b]));
  const forPort = (name: string, ports: readonly number[]) =>
    rule(name, [to('orders')], { matches: [prefix('/')], conditions: [{ ports, gateways: [] }] });
  assert.deepEqual(found(v([forPort('a', [80]), forPort('b', [])])), []);
  assert.deepEqual(found(v([forPort('a', []), forPort('b', [80])])), ['shadowed-rule VirtualService shop/v spec.http[1]']);
});

test('a regular expression for any path, which the Gateway API puts last, hides nothing there', () => {
  const r = { ...anyRequest, path: { type: 'regex' as const, value: '.*' } };
  const leads = [to('orders', { service: true, port: 80 })];
  const http = [rule('a', leads, { matches: [r] }), rule('b', leads, { matches: [prefix('/')] })];
  assert.deepEqual(
    found(routeObject('HTTPRoute', 'shop/h', { parents: [callersOf('shop/orders')], http })).filter((c) => c.startsWith('shadowed')),
    [],
  );
});

test('ports and gateways of a match at which its object is not in force', () => {
  const at = (ports: readonly number[], gateways: readonly string[] = []) =>
    rule('a', [to('orders')], { matches: [prefix('/a')], conditions: [{ ports, gateways }] });
  const bound = { parents: [{ type: 'mesh' as const }, behind('shop/gw')] };
  const gw = gateway('shop/gw', [{ port: 8080 }]);
  const port = ['no-effect VirtualService shop/v spec.http[0].match[0].port'];
  const named = ['no-effect VirtualService shop/v spec.http[0].match[0].gateways'];
  assert.deepEqual(found(v([at([9999])])), port);
  assert.deepEqual(found(v([at([80], ['mesh'])])), []);
  assert.deepEqual(found(v([at([5432])], ['orders', 'pay'])), []);
  assert.deepEqual(found(v([at([], ['shop/gw'])])), named);
  const both = (one: ReturnType<typeof at>, hosts = ['orders']) => found(virtualService('shop/v', hosts, [one], bound), gw);
  assert.deepEqual(both(at([8080], ['gw'])), [], 'a name alone is of the namespace of the object');
  assert.deepEqual(both(at([9999])), port);
  assert.deepEqual(both(at([], ['shop/other'])), named);
  const l4 = [{ type: 'tcp' as const, name: 't', ports: [81], matches: [], destinations: [to('db')] }];
  assert.deepEqual(found(virtualService('shop/v', ['db'], [], { l4 })), ['no-effect VirtualService shop/v spec.tcp[0].match.port']);
});

test('a host that only the mesh can mean is looked for though a gateway is meant as well', () => {
  const both = (...hosts: readonly string[]) =>
    found(
      virtualService('shop/v', hosts, [rule('a', [to('orders')])], { parents: [{ type: 'mesh' }, behind('shop/gw')] }),
      gateway('shop/gw', [{ port: 8080 }]),
    );
  assert.deepEqual(both('orders', 'shop.example.com', 'example.com'), []);
  assert.deepEqual(both('orderz.shop.mesh.internal', 'orders', 'orderz'), [
    'unknown-host VirtualService shop/v spec.hosts[0]',
    'unknown-host VirtualService shop/v spec.hosts[2]',
  ]);
});

test('what a root leaves out of its delegate', () => {
  const ref = { delegate: { namespace: 'shop', name: 'd' } };
  const root = v([rule('r', [], { ...ref, matches: [prefix('/a')] }), matched('rest')]);
  const leads = (...rules: Parameters<typeof virtualService>[2]) => found(root, virtualService('shop/d', [], rules, { parents: [] }));
  assert.deepEqual(leads(matched('in', prefix('/a/b')), matched('rest')), []);
  const out = 'no-effect VirtualService shop/v spec.http[0].delegate';
  const again = 'no-effect VirtualService shop/d spec.http[2].delegate';
  assert.deepEqual(leads(matched('in', prefix('/a/b')), matched('out', prefix('/b')), rule('again', [], ref)), [again, out, out]);
});

test('rules of a protocol that no port of the service speaks', () => {
  assert.deepEqual(found(v([rule('a', [to('db')])], ['db'])), ['protocol-mismatch VirtualService shop/v spec.hosts[0]']);
  const l4 = [{ type: 'tls' as const, name: 't', ports: [], matches: [], destinations: [to('pay', { port: 5432 })] }];
  assert.deepEqual(found(virtualService('shop/v', ['pay'], [], { l4 })), ['protocol-mismatch VirtualService shop/v spec.hosts[0]']);
});

test('subsets that nobody is in or leads to, ports that are not there, rules for some', () => {
  const uses = v([rule('a', [to('orders', { subset: 'v1' })])]);
  assert.deepEqual(found(uses, destinationRule('shop/r', 'orders', { subsets: [subset('v1'), subset('v2')] })), [
    'unreachable-subset DestinationRule shop/r spec.subsets[1]',
    'unused-subset DestinationRule shop/r spec.subsets[1]',
  ]);
  const policy = { ports: [{ port: 81, policy: { connections: { maxRequests: 1 } } }] };
  assert.deepEqual(found(destinationRule('shop/r', 'orders', { policy })), [
    'dangling-reference DestinationRule shop/r spec.trafficPolicy.portLevelSettings[0].port',
  ]);
  assert.deepEqual(found(destinationRule('shop/r', 'gone')), ['unknown-host DestinationRule shop/r spec.host']);
  const limited = { policy: { ports: [], connections: { maxRequests: 1 } } };
  assert.deepEqual(found(destinationRule('web/r', 'orders.shop', limited)), [], 'callers of web look there');
  const shown = (...exportTo: string[]) => found(destinationRule('web/r', 'orders.shop', { ...limited, exportTo }));
  assert.deepEqual(shown('bank', '.'), []);
  assert.deepEqual(shown('bank'), ['unused-rule DestinationRule web/r spec.exportTo'], 'callers of bank do not look in web');
});

test('addresses that nobody is reached by are not taken in silence', () => {
  const entry = serviceEntry('shop/ledger', ['ledger.example.com']);
  assert.deepEqual(found(entry), []);
  const addressed = { ...entry, spec: { ...entry.spec, addresses: ['192.0.2.1'] } };
  assert.deepEqual(found(addressed), ['unsupported ServiceEntry shop/ledger spec.addresses']);
});

test('what is taken and does nothing', () => {
  const delegate = v([rule('d', [to('orders')])], []);
  const root = virtualService('web/root', ['orders.shop'], [rule('a', [], { delegate: { namespace: 'shop', name: 'v' } })]);
  assert.deepEqual(found({ ...delegate, spec: { ...delegate.spec, parents: [] } }), ['no-effect VirtualService shop/v spec.hosts']);
  assert.deepEqual(found({ ...delegate, spec: { ...delegate.spec, parents: [] } }, root), []);
  assert.deepEqual(found(routeObject('HTTPRoute', 'shop/h', { http: [rule('r', [to('shop/orders', { service: true, port: 80 })])] })), [
    'no-effect HTTPRoute shop/h spec.parentRefs',
  ]);
  const retrying = (attempts: number, perTryTimeoutMs: number | undefined, timeoutMs?: number) => {
    const perTry = perTryTimeoutMs === undefined ? {} : { perTryTimeoutMs };
    const retries = { attempts, on: [], statusCodes: [], ...perTry };
    const action = { type: 'route' as const, destinations: [to('orders')], mirrors: [], retries };
    return found(v([rule('a', [], { action: timeoutMs === undefined ? action : { ...action, timeoutMs } })]));
  };
  const perTry = ['no-effect VirtualService shop/v spec.http[0].retries.perTryTimeout'];
  assert.deepEqual(retrying(0, 100, 50), perTry);
  assert.deepEqual(retrying(2, 100, 50), perTry);
  for (const fine of [retrying(0, undefined), retrying(0, 100), retrying(2, 100), retrying(2, 100, 100), retrying(2, 100, 0)])
    assert.deepEqual(fine, []);
  assert.deepEqual(found(v([matched('a', { ...anyRequest, ignoreCase: true }, { ...prefix('/a'), ignoreCase: true })])), [
    'no-effect VirtualService shop/v spec.http[0].match[0].ignoreUriCase',
  ]);
});

test('of two places to distribute from, one within the other', () => {
  const overlapping = (...from: readonly string[]) => {
    const distribute = from.map((each) => ({ from: each, to: { 'eu/*': 100 } }));
    const locality = { enabled: true, distribute, failover: [], failoverPriority: [] };
    const ports = [{ port: 80, policy: { locality } }];
    const subsets = [{ ...subset('v1'), policy: { ports: [], locality } }];
    return found(destinationRule('shop/r', 'orders', { policy: { ports, locality }, subsets })).filter((c) => c.startsWith('conflict'));
  };
  const where = (i: number) =>
    ['subsets[0].trafficPolicy', 'trafficPolicy', 'trafficPolicy.portLevelSettings[0]'].map(
      (path) => `conflict DestinationRule shop/r spec.${path}.loadBalancer.localityLbSetting.distribute[${i}].from`,
    );
  const cases: readonly (readonly [from: readonly string[], at: number | undefined])[] = [
    [['eu/*', 'eu/west/*'], 1],
    [['eu/west/a', 'us/*', 'eu'], 2],
    [['*', 'us/east'], 1],
    [['eu/west', 'eu/west/*'], 1],
    [['eu/west/*', 'eu/east/*'], undefined],
    [['eu/west/a', 'eu/west/b', 'us'], undefined],
  ];
  for (const [from, at] of cases) assert.deepEqual(overlapping(...from), at === undefined ? [] : where(at), from.join(' '));
});
