import assert from 'node:assert/strict';
import test from 'node:test';
import { type AuthzAttribute, type AuthzFacts, type AuthzRule, auditedBy, authorize, mayBeAllowed } from '../../../core/authz/index.ts';

const web = { principal: 'mesh.test/ns/shop/sa/web', namespace: 'shop', cluster: 'east' };
const connection = { sourceAddress: '10.1.2.3', destinationAddress: 'fd00::1', port: 80, sni: 'outbound_.80_._.orders.shop.mesh.internal' };

const headers: Readonly<Record<string, string>> = { 'x-tenant': 'acme,globex', 'x-empty': '' };
const request = {
  method: 'GET',
  path: '/api/v1/orders',
  authority: 'Orders.Shop:8080',
  header: (name: string) => headers[name],
  claims: { iss: 'https://issuer.test/a', sub: 'alice', aud: ['orders', 'till'], groups: { eu: ['admin'], us: 'reader' }, level: 3 },
};
const facts: AuthzFacts = { ...web, connection, request };

function rule(
  attribute: AuthzAttribute,
  patterns: readonly string[],
  more: Partial<AuthzRule> & { names?: readonly string[] } = {},
): AuthzRule {
  const { names = [], ...rest } = more;
  const when = { kind: 'test' as const, attribute, names, patterns };
  return { action: 'allow', name: 'r', principals: [], namespaces: [], clusters: [], when, ...rest };
}

const cases: readonly [AuthzAttribute, pattern: string, holds: boolean, names?: readonly string[]][] = [
  ['principal', '*/sa/web', true],
  ['principal', 'mesh.test/ns/shop/sa/we', false],
  ['namespace', 'sh*', true],
  ['cluster', 'west', false],
  ['trust-domain', 'mesh.test', true],
  ['trust-domain', 'mesh.tes', false],
  ['service-account', 'shop/web', true],
  ['service-account', 'ops/web', false],
  ['source-ip', '10.0.0.0/8', true],
  ['source-ip', '10.1.2.4/32', false],
  ['source-ip', 'fd00::/8', false],
  ['destination-ip', 'fd00::/16', true],
  ['port', '80', true],
  ['port', '8080', false],
  ['sni', '*.mesh.internal', true],
  ['method', 'GET', true],
  ['method', 'get', false],
  ['method', '*', true],
  ['path', '/api/*', true],
  ['path', '*/orders', true],
  ['path', '/api/v1/order', false],
  ['path', '/api/{*}/orders', true],
  ['path', '/{*}/orders', false],
  ['path', '/{**}/orders', true],
  ['path', '/api/v1/orders/{**}', false],
  ['path', '/api/{**}', true],
  ['host', 'orders.shop:8080', true],
  ['host', 'orders.shop', false],
  ['host', 'orders.*', true],
  ['header', 'acme,globex', true, ['x-tenant']],
  ['header', 'acme', false, ['x-tenant']],
  ['header', 'acme*', true, ['x-tenant']],
  ['header', '*', true, ['x-empty']],
  ['header', '*', false, ['x-none']],
  ['request-principal', '*', true],
  ['request-principal', 'https://issuer.test/a/alice', true],
  ['request-principal', 'https://issuer.test/a/*', true],
  ['request-principal', '*/alice', true],
  ['request-principal', 'https://issuer.test/a/bob', false],
  ['claim', 'orders', true, ['aud']],
  ['claim', 'ord*', true, ['aud']],
  ['claim', 'admin', true, ['groups', 'eu']],
  ['claim', 'reader', true, ['groups', 'us']],
  ['claim', '3', false, ['level']],
  ['claim', '*', false, ['none']],
  ['claim', '*', false, ['constructor']],
];

test('each attribute is compared as it is written down', () => {
  for (const [attribute, pattern, holds, names = []] of cases) {
    const of = JSON.stringify([attribute, names, pattern]);
    assert.equal(authorize([rule(attribute, [pattern], { names })], facts).allowed, holds, of);
    assert.equal(
      authorize([rule(attribute, ['none-such', pattern].slice(attribute.endsWith('-ip') ? 1 : 0), { names })], facts).allowed,
      holds,
      of,
    );
    const { when } = rule(attribute, [pattern], { names });
    assert.ok(when);
    assert.equal(authorize([{ ...rule('method', ['*']), when: { kind: 'not', of: when } }], facts).allowed, !holds, `not ${of}`);
  }
});

test('a byte stream: an allow rule that asks for a request is none, a deny rule is wider without what it asks', () => {
  const stream: AuthzFacts = { ...web, connection, request: 'none' };
  const get = { kind: 'test', attribute: 'method', names: [], patterns: ['GET'] } as const;
  const isWeb = { kind: 'test', attribute: 'principal', names: [], patterns: ['*/sa/web'] } as const;
  const base = { name: 'r', principals: [], namespaces: [], clusters: [] };
  const rules = (action: 'allow' | 'deny', when: AuthzRule['when']) => [
    ...(action === 'deny' ? [{ ...base, action: 'allow' as const }] : []),
    { ...base, action, ...(when === undefined ? {} : { when }) },
  ];
  assert.equal(authorize(rules('allow', { kind: 'any', of: [isWeb, get] }), stream).allowed, false);
  assert.equal(authorize(rules('deny', { kind: 'all', of: [isWeb, get] }), stream).allowed, false);
  assert.equal(authorize(rules('deny', { kind: 'all', of: [isWeb, { kind: 'not', of: get }] }), stream).allowed, false);
  assert.equal(authorize(rules('deny', { kind: 'all', of: [{ kind: 'not', of: isWeb }, get] }), stream).allowed, true);
});

test('what is not known lets nobody in and spares nobody, and keeps the view open', () => {
  const unknown: AuthzRule = { ...rule('method', ['GET']), when: { kind: 'unknown' } };
  assert.equal(authorize([unknown], facts).allowed, false);
  assert.equal(authorize([rule('method', ['GET']), { ...unknown, action: 'deny', name: 'd' }], facts).rule?.name, 'd');
  assert.equal(mayBeAllowed([unknown], web), true);
  assert.equal(mayBeAllowed([rule('method', ['GET'])], web), true);
  assert.equal(mayBeAllowed([rule('method', ['GET'], { principals: ['*/sa/till'] })], web), false);
  assert.equal(mayBeAllowed([rule('method', ['GET']), rule('principal', ['*/sa/web'], { action: 'deny' })], web), false);
});

test('audit rules mark, each name once, and decide nothing', () => {
  const marks = [rule('method', ['GET'], { action: 'audit', name: 'a' }), rule('path', ['/api/*'], { action: 'audit', name: 'a' })];
  const all = [...marks, rule('method', ['POST'], { action: 'audit', name: 'b' })];
  assert.deepEqual(auditedBy(all, facts), ['a']);
  assert.equal(authorize(all, facts).allowed, false);
});
