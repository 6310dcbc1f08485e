import assert from 'node:assert/strict';
import test from 'node:test';
import { authorizationPolicies, authorize, callerPolicies, peerAuthentications, plaintextCut } from '../../../control/policy/index.ts';
import { compileAuthz } from '../../../control/snapshot/build-service.ts';
import type { AuthzFacts } from '../../../core/authz/index.ts';
import type { AuthorizationPolicyObject, PeerAuthenticationObject, PeerAuthenticationSpec } from '../../../core/config/index.ts';
import { serviceKey } from '../../../core/model/index.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

type Written = Partial<PeerAuthenticationSpec> & { readonly in?: string };
const root = 'isthmus-system';

/** Older ones first: each is a second younger than the one before. */
function objectsOf(written: Readonly<Record<string, Written>>): PeerAuthenticationObject[] {
  return Object.entries(written).map(([name, { in: namespace = 'shop', ...spec }], i) => ({
    kind: 'PeerAuthentication',
    name,
    namespace,
    spec: { selector: {}, ports: [], createdAt: 1_000 * i, ...spec },
  }));
}

const ports = [
  { name: 'http', port: 80, protocol: 'http' as const },
  { name: 'db', port: 5432, protocol: 'tcp' as const },
];
const door = { plain: { http: { address: '10.0.0.1', port: 80 }, db: { address: '10.0.0.1', port: 5432 } } };
const at = (labels: Record<string, string>, more: object = door) => ({ instance: JSON.stringify(labels), labels, ...more });
const withPorts = (endpoints: Parameters<typeof serviceOf>[1]) => ({ ...serviceOf('orders', endpoints), ports, labels: {} });
const usual = withPorts([at({ app: 'orders' })]);

function authzOf(written: Readonly<Record<string, Written>>, service = usual, policies: readonly AuthorizationPolicyObject[] = []) {
  const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const all = [...base, peerAuthentications(objectsOf(written)), authorizationPolicies(policies)];
  return compileAuthz(service, inputsOf(viewOf([service]), { policies: all }));
}

const said = (written: Readonly<Record<string, Written>>, service = usual) =>
  (authzOf(written, service).mtls?.ports ?? []).map(({ port, mode, by }) => `${port} ${mode} ${by ?? '-'}`);

const app = { app: 'orders' };

for (const [title, written, expected] of [
  ['nothing', {}, []],
  ['the mesh', { m: { in: root, mode: 'permissive' } }, ['80 permissive isthmus-system/m', '5432 permissive isthmus-system/m']],
  ['a namespace over the mesh', { m: { in: root, mode: 'strict' }, n: { mode: 'disable' } }, ['80 disable shop/n', '5432 disable shop/n']],
  [
    'a workload over its namespace',
    { n: { mode: 'permissive' }, w: { selector: app, mode: 'strict' } },
    ['80 strict shop/w', '5432 strict shop/w'],
  ],
  [
    'a port over its workload',
    { w: { selector: app, mode: 'strict', ports: [{ port: 5432, mode: 'permissive' }] } },
    ['80 strict shop/w', '5432 permissive shop/w'],
  ],
  [
    'UNSET is what is said around it',
    { m: { in: root, mode: 'permissive' }, n: {}, w: { selector: app, ports: [{ port: 80, mode: 'disable' }] } },
    ['80 disable shop/w', '5432 permissive isthmus-system/m'],
  ],
  ['all UNSET', { n: {} }, ['80 strict -', '5432 strict -']],
  ['another namespace', { n: { in: 'bank', mode: 'disable' } }, []],
  ['other labels', { w: { selector: { app: 'web' }, mode: 'disable' } }, []],
  [
    'the older of two is followed, at every width',
    {
      old: { selector: app },
      young: { selector: app, mode: 'disable', ports: [{ port: 80, mode: 'disable' }] },
      first: { mode: 'permissive' },
      second: { mode: 'disable' },
    },
    ['80 permissive shop/first', '5432 permissive shop/first'],
  ],
] as const satisfies readonly (readonly [string, Readonly<Record<string, Written>>, readonly string[]])[]) {
  test(`what decides: ${title}`, () => {
    assert.deepEqual(said(written), expected);
  });
}

test('of equally old objects the lower name is followed, in whatever order they come', () => {
  const both = objectsOf({ b: { mode: 'disable', createdAt: 5 }, a: { mode: 'permissive', createdAt: 5 } });
  for (const objects of [both, both.toReversed()]) {
    const inputs = inputsOf(viewOf([usual]), { policies: [peerAuthentications(objects)] });
    assert.deepEqual(
      compileAuthz(usual, inputs).mtls?.ports.map(({ by }) => by),
      ['shop/a', 'shop/a'],
    );
  }
});

test('endpoints that are selected by different objects: the strictest holds, whichever they are', () => {
  const mixed = withPorts([at({ app: 'orders', v: '1' }), at({ app: 'orders', v: '2' })]);
  const authz = (written: Record<string, Written>) => said(written, mixed).map((each) => each.split(' ')[1]);
  assert.deepEqual(
    authz({ w: { selector: { v: '1' }, mode: 'permissive' } }),
    ['strict', 'strict'],
    'opens nothing that it does not select',
  );
  assert.deepEqual(authz({ n: { mode: 'permissive' }, w: { selector: { v: '1' }, mode: 'strict' } }), ['strict', 'strict']);
  assert.deepEqual(authz({ n: { mode: 'disable' }, w: { selector: { v: '1' }, mode: 'permissive' } }), ['permissive', 'permissive']);
  assert.equal(authzOf({ w: { selector: { v: '1' }, mode: 'permissive' } }, mixed).mtls?.mixed, true);
});

const nobody: AuthzFacts = {
  ...{ principal: '', namespace: '', cluster: '' },
  connection: { sourceAddress: '10.1.2.3', destinationAddress: '10.0.0.1', port: 80, sni: '' },
  request: { method: 'GET', path: '/', authority: 'orders', header: () => undefined },
};
const known: AuthzFacts = { ...nobody, principal: 'mesh.test/ns/shop/sa/web', namespace: 'shop', cluster: 'east' };

const policy = (action: 'ALLOW' | 'DENY', from: object | undefined): AuthorizationPolicyObject => {
  const none = { principals: [], notPrincipals: [], namespaces: [], notNamespaces: [], clusters: [] };
  return {
    ...{ kind: 'AuthorizationPolicy', name: 'p', namespace: 'shop' },
    spec: { selector: {}, action, rules: [{ from: from === undefined ? [] : [{ ...none, ...from }] }] },
  };
};
const ip = (cidr: string) => ({ more: { kind: 'test', attribute: 'source-ip', names: [], patterns: [cidr] } });

for (const [title, mode, policies, clear, proven] of [
  ['STRICT', 'strict', [], false, true],
  ['PERMISSIVE', 'permissive', [], true, true],
  ['DISABLE', 'disable', [], true, true],
  ['ALLOW by principal', 'permissive', [policy('ALLOW', { principals: ['*'] })], false, true],
  ['ALLOW by namespace', 'permissive', [policy('ALLOW', { namespaces: ['shop'] })], false, true],
  ['ALLOW by cluster', 'permissive', [policy('ALLOW', { clusters: ['east'] })], false, true],
  ['ALLOW by another address', 'permissive', [policy('ALLOW', ip('10.9.0.0/16'))], false, false],
  ['ALLOW by address', 'permissive', [policy('ALLOW', ip('10.1.0.0/16'))], true, true],
  ['ALLOW anybody', 'permissive', [policy('ALLOW', undefined)], true, true],
  ['ALLOW anybody, STRICT', 'strict', [policy('ALLOW', undefined)], false, true],
  ['DENY whoever is not proven', 'permissive', [policy('DENY', { notPrincipals: ['*'] })], false, true],
  ['DENY by principal', 'permissive', [policy('DENY', { principals: ['*'] })], true, false],
] as const) {
  test(`callers in the clear have no identity: ${title}`, () => {
    const { rules } = authzOf({ n: { mode } }, usual, policies);
    assert.deepEqual([authorize(rules, nobody).allowed, authorize(rules, known).allowed], [clear, proven]);
  });
}

test('a port that is open opens no other, and one of a peer opens nothing', () => {
  const { rules } = authzOf({ w: { selector: app, ports: [{ port: 80, mode: 'permissive' }] } });
  const to = (port: number): AuthzFacts => ({
    ...nobody,
    connection: { sourceAddress: '10.1.2.3', destinationAddress: '', port, sni: '' },
  });
  assert.deepEqual(
    [80, 5432].map((port) => authorize(rules, to(port)).allowed),
    [true, false],
  );
  const theirs = withPorts([{ instance: 'p', cluster: 'west', network: 'b' }]);
  assert.equal(authzOf({ n: { mode: 'permissive' } }, theirs).mtls, undefined);
});

function findingsOf(written: Readonly<Record<string, Written>>, ...services: (typeof usual)[]): string[] {
  const view = viewOf(services);
  const findings = peerAuthentications(objectsOf(written)).findings?.(view) ?? [];
  return findings.map(({ code, object, message }) => `${code} ${object.namespace}/${object.name}: ${message}`).sort();
}

test('findings: what is not followed, not reached, or holds for more than it selects', () => {
  assert.deepEqual(findingsOf({ a: { mode: 'permissive' }, w: { selector: app, mode: 'strict' } }, usual), []);
  assert.deepEqual(findingsOf({ a: { mode: 'strict' }, b: { mode: 'disable' } }, usual), [
    'conflict shop/b: is not followed for namespace shop: PeerAuthentication shop/a is older; keep one',
  ]);
  assert.deepEqual(findingsOf({ a: { in: root, mode: 'strict' }, b: { in: root } }, usual), [
    'conflict isthmus-system/b: is not followed for the mesh: PeerAuthentication isthmus-system/a is older; keep one',
  ]);
  assert.deepEqual(findingsOf({ a: { selector: app, mode: 'strict' }, b: { selector: app } }, usual), [
    'conflict shop/b: is not followed for workloads of shop/orders: PeerAuthentication shop/a is older; keep one',
  ]);
  assert.deepEqual(findingsOf({ a: { selector: { app: 'none' } } }, usual), ['selects-nothing shop/a: selects no workload of shop']);
  const mixed = withPorts([at({ app: 'orders', v: '1' }), at({ app: 'orders' })]);
  const [first = '', ...more] = findingsOf({ a: { selector: { v: '1' }, mode: 'strict' } }, mixed);
  assert.deepEqual(more, []);
  assert.match(first, /^mixed-modes shop\/a: selects some endpoints of shop\/orders and not others/);
  const [closed = '', ...others] = findingsOf({ a: { mode: 'permissive' } }, withPorts([at(app, {})]));
  assert.deepEqual(others, []);
  assert.match(closed, /^no-plain-listener shop\/a: opens nothing at shop\/orders port 80, 5432: no instance has a plain listener/);
});

test('who is cut off is said of ports that go STRICT, and of none that were or are not', () => {
  const service = serviceKey('shop', 'orders');
  const calls = [1, 2, 3, 4].map((i) => ({ service, port: 80, address: `10.0.0.${i}`, lastAt: 1_700_000_000_000 + i }));
  const as = (mode: 'strict' | 'permissive' | 'disable' | undefined, by?: string) =>
    mode === undefined ? undefined : { ports: [{ port: 80, mode, ...(by === undefined ? {} : { by }) }] };
  const cut = (...[before, after]: Parameters<typeof as>[0][]) => plaintextCut(calls, () => [as(before), as(after, 'shop/a')]).length;
  assert.deepEqual(
    [cut('permissive', 'strict'), cut('disable', 'strict'), cut('permissive', undefined)],
    [1, 1, 1],
    'also by taking the object away',
  );
  assert.deepEqual(
    [cut('strict', 'strict'), cut(undefined, 'strict'), cut('permissive', 'disable'), cut('strict', 'permissive')],
    [0, 0, 0, 0],
  );
  const [found] = plaintextCut(calls, () => [as('permissive'), as('strict', 'shop/a')]);
  assert.equal(found?.by, 'shop/a');
  assert.match(
    found?.message ?? '',
    /shop\/orders port 80.*10\.0\.0\.4 \(last at 2023-11-14T22:13:20\.004Z\).* and 1 more; isthmus mtls status/,
  );
});
