import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeResource, native, nativeTypeUrls, nativeRouting as wire } from '../../../core/xds/index.ts';

function pathsOf(typeUrl: string, bytes: Uint8Array): readonly string[] {
  const decoded = decodeResource({ typeUrl, value: Buffer.from(bytes) });
  return decoded.ok ? [] : decoded.violations.map((v) => v.path);
}

const routing = (base: Parameters<typeof wire.Routing.create>[0]) =>
  pathsOf(nativeTypeUrls.routing, wire.Routing.encode(wire.Routing.create({ name: '80|a', ...base })).finish());
const ruleOf = (rule: Parameters<typeof wire.HttpRule.create>[0]) =>
  routing({ virtualHosts: [{ domains: ['*'], rules: [rule ?? {}] }] }).map((path) => path.replace('virtualHosts[0].rules[0].', ''));
const somewhere = { destination: { cluster: 'c' }, weight: 1 };
const route = (value: Parameters<typeof wire.RouteAction.create>[0]) =>
  ruleOf({ action: { $case: 'route', value: { destinations: [somewhere], ...value } } });
const match = (value: Parameters<typeof wire.HttpMatch.create>[0]) =>
  ruleOf({ matches: [value ?? {}], action: { $case: 'route', value: { destinations: [somewhere] } } });

test('what a reader does not know is refused and never skipped', () => {
  assert.deepEqual(routing({ requires: ['geo-match'] }), ['requires[0]']);
  assert.deepEqual(ruleOf({}), ['action']);
  assert.deepEqual(match({ path: {} }), ['matches[0].path']);
  assert.deepEqual(match({ method: {} }), ['matches[0].method']);
  assert.deepEqual(match({ headers: [{ name: 'x', value: {} }] }), ['matches[0].headers[0].value']);
  assert.deepEqual(
    match({
      sourceLabels: [
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
      ],
    }),
    ['matches[0].sourceLabels[1].name'],
  );
});

test('everything that is wrong with rules is said at once', () => {
  const regex = (value: string) => ({ kind: { $case: 'regex' as const, value } });
  assert.deepEqual(match({ path: regex('(a'), authority: regex('(?=x)'), scheme: regex('\\1') }), [
    'matches[0].path',
    'matches[0].scheme',
    'matches[0].authority',
  ]);
  assert.deepEqual(match({ path: { kind: { $case: 'segments', value: '/a/' } } }), ['matches[0].path']);
  assert.deepEqual(match({ headers: [{ name: 'X' }], query: [{ name: '' }] }), ['matches[0].headers[0].name', 'matches[0].query[0].name']);
  assert.deepEqual(route({ destinations: [] }), ['route.destinations']);
  assert.deepEqual(
    route({
      destinations: [
        { ...somewhere, weight: 0 },
        { ...somewhere, weight: 0 },
      ],
    }),
    ['route.destinations'],
  );
  assert.deepEqual(
    route({ destinations: [{ destination: { cluster: '' } }, { destination: { cluster: 'c', missing: 500 }, weight: 1 }] }),
    ['route.destinations[0].destination.missing', 'route.destinations[1].destination.missing'],
  );
  for (const percent of [-1, 100.1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.deepEqual(route({ mirrors: [{ ...somewhere, percent }] }), ['route.mirrors[0].percent']);
  const rewrite = (pattern: string, substitution: string) =>
    route({ rewrite: { path: { $case: 'regex', value: { pattern, substitution } } } });
  assert.deepEqual(
    [rewrite('(a)', '\\1'), rewrite('a', '\\1'), rewrite('a', '\\x')],
    [[], ['route.rewrite.path.substitution'], ['route.rewrite.path.substitution']],
  );
  assert.deepEqual(route({ retries: { attempts: 256, statusCodes: [99] } }), ['route.retries.attempts', 'route.retries.statusCodes[0]']);
  assert.deepEqual(ruleOf({ action: { $case: 'redirect', value: { status: 200, port: 70_000 } } }), ['redirect.port', 'redirect.status']);
  assert.deepEqual(ruleOf({ action: { $case: 'direct', value: { status: 100 } } }), ['direct.status']);
  const set = [
    { name: 'X', value: '1' },
    { name: 'x', value: 'a\r\nb: c' },
  ];
  assert.deepEqual(route({ destinations: [{ ...somewhere, requestHeaders: { set } }] }), [
    'route.destinations[0].requestHeaders.set[0]',
    'route.destinations[0].requestHeaders.set[1].value',
  ]);
  assert.deepEqual(routing({ virtualHosts: [{ domains: ['a', '*.A', 'x*'] }, { domains: ['a'] }, {}] }), [
    'virtualHosts[0].domains[1]',
    'virtualHosts[0].domains[2]',
    'virtualHosts[1].domains[0]',
    'virtualHosts[2].domains',
  ]);
  assert.deepEqual(routing({ l4: [{ matches: [{ destinationSubnets: ['10.0.0.1'], sniHosts: ['a*'] }], destinations: [] }] }), [
    'l4[0].matches[0].destinationSubnets[0]',
    'l4[0].matches[0].sniHosts[0]',
    'l4[0].destinations',
  ]);
});

test('rules are bounded in number and size', () => {
  const many = <T>(count: number, each: T) => Array.from({ length: count }, () => each);
  assert.deepEqual(match({ headers: many(257, { name: 'x' }) }), ['matches[0]']);
  assert.deepEqual(match({ path: { kind: { $case: 'regex', value: 'a'.repeat(4_097) } } }), ['matches[0].path']);
  assert.deepEqual(route({ mirrors: many(17, { ...somewhere, percent: 1 }) }), ['route.mirrors']);
  assert.deepEqual(routing({ l4: many(16_385, { destinations: [somewhere] }) }), ['rules']);
  assert.deepEqual(ruleOf({ action: { $case: 'direct', value: { status: 200, body: Buffer.alloc(1024 * 1024 + 1) } } }), ['direct.body']);
});

test('a cluster is refused for what would be dangerous or cannot be done, and loses what is not known of balancing and health', () => {
  const cluster = (base: Parameters<typeof native.Cluster.create>[0]) =>
    pathsOf(
      nativeTypeUrls.cluster,
      native.Cluster.encode(native.Cluster.create({ name: 'c', host: 'h', namespace: 'n', service: 's', port: 80, ...base })).finish(),
    );
  assert.deepEqual(cluster({ traffic: { loadBalancer: {}, healthCheck: { type: 99 as never } } }), []);
  assert.deepEqual(cluster({ traffic: { tls: { mode: 1, sni: 'h' } } }), ['guardedPort']);
  assert.deepEqual(cluster({ port: 0, guardedPort: 443 }), ['guardedPort']);
  assert.deepEqual(cluster({ port: 0, guardedPort: 443, traffic: { tls: { mode: 2 } } }), ['traffic.tls']);
  assert.deepEqual(cluster({ port: 0, guardedPort: 443, traffic: { tls: { mode: 7 as never } } }), ['traffic.tls.mode']);
  const hash = { on: { $case: 'header' as const, value: '' }, table: { $case: 'maglevTableSize' as const, value: 65_536 } };
  assert.deepEqual(cluster({ traffic: { loadBalancer: { kind: { $case: 'hash', value: hash } } } }), [
    'traffic.loadBalancer.hash.on',
    'traffic.loadBalancer.hash.maglevTableSize',
  ]);
  assert.deepEqual(cluster({ traffic: { outlier: { baseEjectionMs: 5, maxEjectionMs: 4, maxEjectionPercent: 101 } } }), [
    'traffic.outlier.intervalMs',
    'traffic.outlier.maxEjectionMs',
    'traffic.outlier.maxEjectionPercent',
  ]);
});
