import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../core/system-clock.ts';
import type { EngineTables, ExposedRule, SniRule } from '../../../gateway/engine/contract.ts';
import { TablesEncoder } from '../../../gateway/engine/native/encode-tables.ts';
import { allowAll, clusterTable, endpoint } from '../../contract/engine/harness.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const pki = new MeshPki();
const own = pki.svid('east', 'shop', 'orders');
const outside = { tls: { mode: 'simple' as const, sni: 'example.org', subjectAltNames: [] } };
const tunnel = { instance: 'g', uriSan: '', clusterSan: '', secretSha256: '' };
const cluster = clusterTable('c', [endpoint(80)]);
const rule = (more: Partial<Extract<SniRule, { mode: 'terminate' }>> = {}): SniRule => ({
  mode: 'terminate',
  clusterName: 'c',
  protocol: 'tcp',
  authz: allowAll,
  end: { namespace: 'shop', service: 'orders' },
  ...more,
});
const tables = (change: Partial<EngineTables> = {}): EngineTables => {
  const none = { sni: new Map(), plain: new Map(), clusters: new Map(), routings: new Map(), ejected: new Set<string>() };
  return { ...none, svid: own, trust: pki.bundle, ...change };
};
const encoder = () => new TablesEncoder(() => 0, systemClock, { namespace: 'web', labels: {} });
const clusters = (...of: readonly (typeof cluster)[]) => new Map(of.map((each) => [each.name, each]));

test('what has not changed is not told, and all of it again once the engine has not taken it', () => {
  const made = encoder();
  const first = tables({ sni: new Map([['a', rule({ svid: pki.svid('east', 'shop', 'stock') })]]), clusters: clusters(cluster) });
  const whole = made.change(first);
  assert.deepEqual(Object.keys(whole ?? {}).sort(), ['clusters', 'identity', 'sni', 'svids']);
  assert.equal(made.change({ ...first }), undefined);
  made.forgetTold();
  const again = made.change(first);
  assert.equal(again?.whole, true);
  assert.deepEqual([again?.sni, again?.svids, again?.identity], [whole?.sni, whole?.svids, whole?.identity]);
  assert.deepEqual(Object.keys(again?.clusters ?? {}), ['c']);
});

test('an SVID that many rules show is told once, and forgotten with the last of them', () => {
  const made = encoder();
  const [stock, renewed] = [pki.svid('east', 'shop', 'stock'), pki.svid('east', 'shop', 'stock')];
  const shows = (svid: typeof stock | undefined, ...names: readonly string[]) =>
    tables({ sni: new Map(names.map((name) => [name, rule(svid === undefined ? {} : { svid })])) });
  const first = made.change(shows(stock, 'a', 'b'));
  const [name = ''] = Object.keys(first?.svids ?? {});
  assert.deepEqual(Object.keys(first?.svids ?? {}), [name]);
  assert.deepEqual(
    Object.values(first?.sni ?? {}).map((each) => (each?.mode === 'terminate' ? each.svid : '')),
    [name, name],
  );
  assert.equal(made.change(shows(stock, 'a'))?.svids, undefined);
  const second = made.change(shows(renewed, 'a'));
  assert.equal(second?.svids?.[name], null);
  assert.deepEqual(Object.keys(second?.sni ?? {}), ['a']);
  assert.ok(Object.values(made.change(shows(undefined, 'a'))?.svids ?? {}).every((each) => each === null));
});

test('what leads outside the mesh by TLS, or through tunnels, is handed over, and its clusters are never told', () => {
  for (const special of [
    clusterTable('c', [endpoint(80)], { traffic: outside }),
    clusterTable('c', [endpoint(80), endpoint(81, { tunnel })]),
  ]) {
    const made = encoder();
    const leading = {
      sni: new Map<string, SniRule>([
        ['end', rule()],
        ['through', { mode: 'passthrough', clusterName: 'c' }],
      ]),
      plain: new Map([['p', { clusterName: 'c', protocol: 'tcp' as const, allow: 'any' as const }]]),
    };
    const carried = made.change(tables({ ...leading, clusters: clusters(cluster) }));
    const told = (change: typeof carried, name: string) => change?.sni?.[name];
    assert.deepEqual([told(carried, 'through')?.mode, carried?.plain?.['p']?.mode], ['passthrough', 'forward']);
    const handed = made.change(tables({ ...leading, clusters: clusters(special) }));
    assert.deepEqual(handed?.clusters, { c: null });
    assert.deepEqual([told(handed, 'through')?.mode, handed?.plain?.['p']?.mode], ['node', 'node']);
    const end = told(handed, 'end');
    assert.ok(end?.mode === 'terminate' && end.handOver);
    assert.deepEqual(Object.keys(made.change(tables({ ...leading, clusters: clusters(cluster) }))?.clusters ?? {}), ['c']);
  }
});

test('of an exposed port what has changed is told, and where it leads that the engine cannot go', () => {
  const made = encoder();
  const end = rule();
  assert.ok(end.mode === 'terminate');
  const exposing = (more: Partial<ExposedRule>, of = cluster, ports = ['80']) => {
    const exposed = new Map(ports.map((port) => [port, { end, port: Number(port), mode: 'permissive' as const, ...more }]));
    return made.change(tables({ exposed, clusters: clusters(of) }))?.exposed;
  };
  const first = exposing({}, cluster, ['80', '81']);
  const { rules } = allowAll;
  const told = { mode: 'permissive', http: false, cluster: 'c', handOver: false, unknown: false, rules, end: end.end };
  assert.deepEqual(first, { '80': { ...told, port: 80 }, '81': { ...told, port: 81 } });
  assert.equal(exposing({}, cluster, ['80', '81']), undefined);
  assert.deepEqual(exposing({}), { '81': null });
  assert.deepEqual(exposing({ mode: 'strict' }), { '80': { ...told, port: 80, mode: 'strict' } });
  const judged = { ...end, authz: { name: 'shop/orders', rules: [], unknown: true as const } };
  assert.deepEqual(exposing({ end: judged }), { '80': { ...told, port: 80, unknown: true, rules: [] } });
  assert.equal(exposing({ end: { ...end, protocol: 'http' } })?.['80']?.http, true);
  assert.equal(exposing({}, clusterTable('c', [endpoint(80)], { traffic: outside }))?.['80']?.handOver, true);
  made.forgetTold();
  assert.deepEqual(exposing({}), { '80': { ...told, port: 80 } });
});

test('rules of byte streams: one that leads where the engine cannot goes to the node engine whole', () => {
  const l4 = [{ name: 'r', matches: [], destinations: ['c', 'd'].map((name) => ({ destination: { cluster: name }, weight: 1 })) }];
  const plain = new Map([['p', { clusterName: 'x', protocol: 'tcp' as const, routingName: 'r', allow: ['10.0.0.0/8'] }]]);
  const routed = (...of: readonly (typeof cluster)[]) =>
    tables({ plain, routings: new Map([['r', { virtualHosts: [], l4 }]]), clusters: clusters(cluster, ...of) });
  const made = encoder();
  const change = made.change(routed(clusterTable('d', [])));
  const split = change?.plain?.['p'];
  assert.ok(split?.mode === 'split');
  assert.deepEqual([split.allow, split.routing.readsHello, split.routing.rules[0]?.destinations.length], [['10.0.0.0/8'], false, 2]);
  assert.equal(made.change(routed(clusterTable('d', [], { traffic: outside })))?.plain?.['p']?.mode, 'node');
  assert.equal(made.change(tables({ plain }))?.plain?.['p']?.mode, 'forward');
});

test('a cluster says whom it tells of callers, and that nobody in it has answered lately', () => {
  const made = encoder();
  const told = clusterTable('c', [endpoint(80), endpoint(81)], { proxyProtocol: 'v2' });
  const state = (...ports: readonly number[]) =>
    made.change(tables({ clusters: clusters(told), ejected: new Set(ports.map((port) => `c 127.0.0.1:${port}`)) }))?.clusters?.['c'];
  assert.deepEqual(
    [80, 81].map((port) => state(port)?.allSuspect),
    [false, false],
  );
  const all = state(80, 81);
  assert.deepEqual([all?.allSuspect, all?.proxyProtocol], [true, 'v2']);
  assert.equal(state()?.allSuspect, false);
});

test('an ejection is news of those clusters alone that have the endpoint', () => {
  const made = encoder();
  const gateway = { viaGateway: true };
  const of = [
    clusterTable('a', [endpoint(80), endpoint(81)]),
    clusterTable('b', [endpoint(80)]),
    clusterTable('c', [endpoint(90, gateway), endpoint(91, gateway)]),
    clusterTable('d', [endpoint(90, gateway)]),
  ];
  const state = tables({ clusters: clusters(...of) });
  const told = (...ejected: readonly string[]) => Object.keys(made.change({ ...state, ejected: new Set(ejected) })?.clusters ?? {});
  assert.deepEqual(told(), ['a', 'b', 'c', 'd']);
  assert.deepEqual(told(), []);
  assert.deepEqual(told('a 127.0.0.1:80'), ['a']);
  assert.deepEqual(told('a 127.0.0.1:80', 'gateway 127.0.0.1:90'), ['c', 'd']);
  assert.deepEqual(told('b 127.0.0.1:80', 'gateway 127.0.0.1:90'), ['a', 'b']);
  assert.deepEqual(told(), ['b', 'c', 'd']);
});

test('rules that are the same objects are told anew where they have come to mean something else', () => {
  const made = encoder();
  const l4 = [{ name: 'r', matches: [], destinations: [{ destination: { cluster: 'c' }, weight: 1 }], byHash: true as const }];
  const same = {
    sni: new Map<string, SniRule>([['s', { mode: 'passthrough', clusterName: 'c' }]]),
    plain: new Map([['p', { clusterName: 'x', protocol: 'tcp' as const, routingName: 'r', allow: 'any' as const }]]),
    routings: new Map([['r', { virtualHosts: [], l4 }]]),
  };
  const bySource = { loadBalancer: { type: 'hash' as const, on: { type: 'source-address' as const } } };
  const change = (...of: readonly (typeof cluster)[]) => made.change(tables({ ...same, clusters: clusters(...of) }));
  assert.deepEqual(Object.keys(change(cluster) ?? {}).sort(), ['clusters', 'identity', 'plain', 'sni']);
  assert.deepEqual(Object.keys(change(clusterTable('c', [endpoint(81)])) ?? {}), ['clusters']);
  assert.deepEqual(Object.keys(change(clusterTable('c', [endpoint(81)], { traffic: bySource as never })) ?? {}).sort(), [
    'clusters',
    'plain',
  ]);
  const outside = clusterTable('c', [endpoint(81, { tunnel })]);
  assert.equal(change(outside)?.sni?.['s']?.mode, 'node');
  assert.equal(change(outside)?.sni, undefined);
  assert.equal(change(cluster)?.sni?.['s']?.mode, 'passthrough');
});

test('what a packet filter leads is told by listener, and anew where a destination, its rule or what is closed has changed', () => {
  const made = encoder();
  const told = (to: Readonly<Record<string, string>>, closed: readonly string[] = ['127.64.0.0/10']) =>
    made.change(tables({ captured: new Map([['capture', { byDestination: new Map(Object.entries(to)), closed }]]) }))?.captured;
  const first = { '127.64.0.9 80': 'a', '2001:db8::7 80': 'b' };
  assert.deepEqual(told(first), { capture: { byDestination: first, closed: ['127.64.0.0/10'] } });
  assert.equal(told({ ...first }), undefined, 'other objects of the same content');
  for (const changed of [{ '127.64.0.9 80': 'a' }, { '127.64.0.9 81': 'a' }, { '127.64.0.9 81': 'b' }, first, {}]) {
    assert.deepEqual(told(changed), { capture: { byDestination: changed, closed: ['127.64.0.0/10'] } });
  }
  assert.deepEqual(told({}, [])?.['capture']?.closed, []);
  made.forgetTold();
  assert.deepEqual(told({}, []), { capture: { byDestination: {}, closed: [] } });
  assert.deepEqual(made.change(tables())?.captured, { capture: null });
  assert.equal(made.change(tables({ captured: new Map() })), undefined);
});
