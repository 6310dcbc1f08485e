import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { base64url, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { TokenRule } from '../../../core/authz/index.ts';
import { TokenAuthenticator } from '../../../gateway/jwt/index.ts';

const nowMs = Date.UTC(2030, 0, 1);
const nowS = nowMs / 1_000;
const issuer = 'https://issuer.test/';

const keyFor = async (alg: string, kid = alg) => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig' } };
};
const all = await Promise.all(['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA'].map((alg) => keyFor(alg)));
const [rsa] = all;
assert.ok(rsa);

const rule: TokenRule = {
  issuer,
  audiences: [],
  jwks: JSON.stringify({ keys: all.map(({ jwk }) => jwk) }),
  fromHeaders: [],
  fromParams: [],
  fromCookies: [],
  forwardOriginal: false,
  outputPayloadHeader: '',
  outputClaims: [],
  spaceDelimitedClaims: [],
};

const sign = (claims: JWTPayload, key = rsa, head: Record<string, unknown> = {}) =>
  new SignJWT({ iss: issuer, sub: 'alice', exp: nowS + 100, ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...head })
    .sign(key.privateKey);

const bearer = (token: string, path = '/') => ({ path, headers: ['authorization', `Bearer ${token}`] });

function verdict(of: TokenAuthenticator, carrier: { path: string; headers: readonly string[] }, at = nowMs): string {
  const result = of.authenticate(carrier, at);
  return result.ok ? String(result.claims?.['sub'] ?? 'nobody') : `${result.status} ${result.text}`;
}

test('tokens by every key of the closed list hold, and what they say is had', async () => {
  const verifier = new TokenAuthenticator([rule]);
  for (const key of all) assert.equal(verdict(verifier, bearer(await sign({ sub: key.alg }, key))), key.alg);
  assert.equal(verdict(verifier, { path: '/', headers: [] }), 'nobody');
});

test('every forged, expired or otherwise wrong token is refused with a reason', async () => {
  const [own, other] = [await sign({}), await keyFor('RS256')];
  const [head = '', payload = '', signature = ''] = own.split('.');
  const part = (value: unknown) => base64url.encode(JSON.stringify(value));
  const pem = JSON.stringify(rsa.jwk);
  const hmac = `${part({ alg: 'HS256', kid: 'RS256' })}.${payload}`;
  const forged = `${hmac}.${createHmac('sha256', pem).update(hmac).digest('base64url')}`;
  const badForm = '401 Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections';
  const cases: readonly [string, string][] = [
    ['x', badForm],
    [`${own}.x`, badForm],
    [`${head}.${payload}`, badForm],
    [`${own.slice(0, -4)}AAAA`, '401 Jwt verification fails'],
    [`${head}.${part({ iss: issuer, sub: 'bob' })}.${signature}`, '401 Jwt verification fails'],
    [`${part({ alg: 'none' })}.${payload}.`, '401 Jwt header [alg] is not supported'],
    [`${part({ alg: 'None' })}.${payload}.${signature}`, '401 Jwt header [alg] is not supported'],
    [forged, '401 Jwt header [alg] is not supported'],
    [`${part({ alg: 'RS256', crit: ['x'] })}.${payload}.${signature}`, '401 Jwt header [alg] is not supported'],
    [`${part({})}.${payload}.${signature}`, '401 Jwt header [alg] field is required and must be a string'],
    [`${part([])}.${payload}.${signature}`, '401 Jwt header is an invalid JSON'],
    [`${head}.${part([])}.${signature}`, '401 Jwt payload is an invalid JSON'],
    [await sign({}, { ...other, kid: 'RS256' }), '401 Jwt verification fails'],
    [await sign({}, rsa, { kid: 'ES256' }), '401 Jwt verification fails'],
    [await sign({ exp: nowS - 61 }), '401 Jwt is expired'],
    [await sign({ exp: nowS - 59 }), 'alice'],
    [await sign({ nbf: nowS + 61 }), '401 Jwt not yet valid'],
    [await sign({ nbf: nowS + 59 }), 'alice'],
    [await sign({ iss: 'https://other.test/' }), '401 Jwt issuer is not configured'],
    [await sign({ sub: 'x'.repeat(20_000) }), badForm],
  ];
  const verifier = new TokenAuthenticator([rule]);
  for (const [token, expected] of cases) assert.equal(verdict(verifier, bearer(token)), expected, token.slice(0, 80));
});

test('audiences, several issuers, and an issuer of which no key is known', async () => {
  const aimed = new TokenAuthenticator([{ ...rule, audiences: ['https://orders.test/', 'b'] }]);
  assert.equal(verdict(aimed, bearer(await sign({ aud: 'a' }))), '403 Audiences in Jwt are not allowed');
  assert.equal(verdict(aimed, bearer(await sign({}))), '403 Audiences in Jwt are not allowed');
  assert.equal(verdict(aimed, bearer(await sign({ aud: ['x', 'b'] }))), 'alice');
  assert.equal(verdict(aimed, bearer(await sign({ aud: 'orders.test' }))), 'alice');
  const two = new TokenAuthenticator([{ ...rule, issuer: 'https://first.test' }, rule]);
  assert.equal(verdict(two, bearer(await sign({}))), 'alice');
  assert.equal(verdict(two, bearer(await sign({ iss: 'https://third.test' }))), '401 Jwt issuer is not configured');
  const bare = new TokenAuthenticator([{ ...rule, jwks: '' }]);
  assert.equal(verdict(bare, bearer(await sign({}))), "401 Jwks doesn't have any valid public key");
  assert.equal(verdict(bare, { path: '/', headers: [] }), 'nobody');
});

test('a token that was remembered ends as any other', async () => {
  const verifier = new TokenAuthenticator([rule]);
  const token = bearer(await sign({ exp: nowS + 10 }));
  assert.equal(verdict(verifier, token), 'alice');
  assert.equal(verdict(verifier, token, nowMs + 70_000), 'alice');
  assert.equal(verdict(verifier, token, nowMs + 71_000), '401 Jwt is expired');
});

test('where tokens are looked for, and what goes on of them', async () => {
  const token = await sign({ sub: 'alice', scope: 'read write', groups: { eu: ['admin'] }, level: 3 });
  const verifier = new TokenAuthenticator([
    {
      ...rule,
      fromHeaders: [{ name: 'x-token', prefix: 'T ' }],
      fromParams: ['t'],
      fromCookies: ['c'],
      outputPayloadHeader: 'x-payload',
      outputClaims: [
        { header: 'x-sub', claim: 'sub' },
        { header: 'x-eu', claim: 'groups.eu' },
        { header: 'x-level', claim: 'level' },
        { header: 'x-none', claim: 'none' },
      ],
    },
  ]);
  const spoofed = ['x-sub', 'mallory', 'x-payload', 'mallory', 'x-none', 'mallory'];
  assert.equal(verdict(verifier, bearer(token)), 'nobody');
  assert.equal(verdict(verifier, { path: `/a?x=1&t=${token}&y=2`, headers: [] }), 'alice');
  assert.equal(verdict(verifier, { path: '/', headers: ['cookie', `a=b; c=${token}`] }), 'alice');
  assert.deepEqual(verifier.authenticate({ path: '/', headers: spoofed }, nowMs), { ok: true, carrier: { path: '/', headers: [] } });
  const passed = verifier.authenticate({ path: `/a?x=1&t=${token}&y=2`, headers: [...spoofed, 'x-token', `T ${token}`, 'k', 'v'] }, nowMs);
  assert.ok(passed.ok);
  assert.deepEqual(passed.claims?.['scope'], ['read', 'write']);
  assert.equal(passed.carrier.path, '/a?x=1&y=2');
  const eu = Buffer.from('["admin"]').toString('base64');
  assert.deepEqual(passed.carrier.headers, ['k', 'v', 'x-payload', token.split('.')[1], 'x-sub', 'alice', 'x-eu', eu, 'x-level', '3']);
});
