import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import test from 'node:test';
import { calculateJwkThumbprint, createLocalJWKSet, type JWTHeaderParameters, jwtVerify, SignJWT } from 'jose';
import {
  audienceFault,
  clusterClaim,
  type JwtSvidFault,
  type JwtTrust,
  keyIdOf,
  publicJwk,
  signJwtSvid,
  verifyJwtSvid,
} from '../../../core/jwt/index.ts';
import { detached, generateKey, type JwtKey, spkiOf } from '../../../core/pki/index.ts';

const now = Date.UTC(2026, 0, 2, 3, 4, 5);
const seconds = Math.floor(now / 1_000);
const [east, west, foreign, stranger] = [generateKey(), generateKey(), generateKey(), generateKey()];
const rsa = detached(generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey);
const p384 = detached(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey);
const kid = (key: KeyObject) => keyIdOf(spkiOf(key)) ?? '';

const own = (cluster: string, key: KeyObject, more: Partial<JwtKey> = {}): JwtKey => ({
  cluster,
  keyId: kid(key),
  publicKey: spkiOf(key),
  notAfterMs: now + 86_400_000,
  namespaces: ['*'],
  ...more,
});
const other = (keyId: string, key: KeyObject): JwtKey => ({
  cluster: '',
  keyId,
  publicKey: spkiOf(key),
  notAfterMs: 0,
  namespaces: ['*'],
});
const bundles: readonly JwtTrust[] = [
  {
    trustDomain: 'mesh.test',
    jwtKeys: [own('east', east), own('west', west, { namespaces: ['shop'] }), own('old', p384, { keyId: 'ended', notAfterMs: now - 1 })],
  },
  { trustDomain: 'partner.test', jwtKeys: [other('partner', foreign), other('rsa', rsa), other('p384', p384)] },
  { trustDomain: 'silent.test' },
];

interface Forged {
  readonly key?: KeyObject | Uint8Array;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** By another library than what is tested. */
function forge({ key = east, header = {}, claims = {} }: Forged): Promise<string> {
  const all = {
    sub: 'spiffe://mesh.test/ns/shop/sa/orders',
    aud: ['payments'],
    exp: seconds + 300,
    iat: seconds,
    [clusterClaim]: 'east',
    ...claims,
  };
  const said = JSON.parse(JSON.stringify(all)) as Record<string, unknown>;
  const protectedHeader = { alg: 'ES256', kid: kid(east), typ: 'JWT', ...header } as unknown as JWTHeaderParameters;
  return new SignJWT(said).setProtectedHeader(protectedHeader).sign(key);
}

const raw = (header: object, claims: object, signature: Buffer | ((signed: string) => Buffer) = Buffer.from('x')) => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${(typeof signature === 'function' ? signature(signed) : signature).toString('base64url')}`;
};
const good = { sub: 'spiffe://mesh.test/ns/shop/sa/orders', aud: 'payments', exp: seconds + 300, [clusterClaim]: 'east' };
const publicPem = createPublicKey(east).export({ type: 'spki', format: 'pem' }).toString();
const hmac = (signed: string) => createHmac('sha256', publicPem).update(signed).digest();

test('what is signed is a JWT-SVID, to this verifier and to jose', async () => {
  const input = {
    subject: 'spiffe://mesh.test/ns/shop/sa/orders',
    audiences: ['payments', 'spiffe://mesh.test/ns/shop/sa/stock'],
    cluster: 'east',
    issuedAt: now,
    expiresAt: now + 300_000,
    id: 'one',
  };
  const { token, expiresAt } = signJwtSvid(east, kid(east), input);
  assert.equal(expiresAt, (seconds + 300) * 1_000);
  for (const audience of input.audiences) {
    const verdict = verifyJwtSvid(token, audience, bundles, now);
    assert.ok(verdict.ok, JSON.stringify(verdict));
    assert.equal(verdict.spiffeId, input.subject);
  }
  const find = createLocalJWKSet({ keys: [{ ...publicJwk(spkiOf(east)), kid: kid(east) } as never] });
  const { payload, protectedHeader } = await jwtVerify(token, find, { audience: 'payments', currentDate: new Date(now) });
  assert.deepEqual(protectedHeader, { alg: 'ES256', kid: kid(east), typ: 'JWT' });
  assert.deepEqual(payload, {
    sub: input.subject,
    aud: input.audiences,
    exp: seconds + 300,
    iat: seconds,
    jti: 'one',
    [clusterClaim]: 'east',
  });
  assert.equal(await calculateJwkThumbprint(publicJwk(spkiOf(east)) as never), kid(east));
  assert.equal(keyIdOf(spkiOf(rsa)), undefined);
});

test('tokens of the mesh and of other trust domains hold', async () => {
  const partner = { sub: 'spiffe://partner.test/any/path', [clusterClaim]: undefined };
  const holding: readonly Forged[] = [
    {},
    { claims: { aud: 'payments' } },
    { header: { typ: 'JOSE' } },
    { header: { typ: undefined } },
    { claims: { exp: seconds - 59 } },
    { key: west, header: { kid: kid(west) }, claims: { [clusterClaim]: 'west' } },
    { key: foreign, header: { kid: 'partner' }, claims: partner },
    { key: foreign, header: { kid: 'partner' }, claims: { ...partner, [clusterClaim]: 'east' } },
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => ({ key: rsa, header: { alg, kid: 'rsa' }, claims: partner })),
    { key: p384, header: { alg: 'ES384', kid: 'p384' }, claims: partner },
  ];
  for (const each of holding) {
    const verdict = verifyJwtSvid(await forge(each), 'payments', bundles, now);
    assert.ok(verdict.ok, `${JSON.stringify(each.header)} ${JSON.stringify(each.claims)}: ${JSON.stringify(verdict)}`);
  }
});

test('every token that does not hold is refused, with why', async (t) => {
  const byWest = { key: west, header: { kid: kid(west) } };
  const valid = await forge({});
  const [head = '', payload = '', signature = ''] = valid.split('.');
  const other64 = (text: string) => `${text.slice(0, 10)}${text[10] === 'A' ? 'B' : 'A'}${text.slice(11)}`;
  const table: readonly (readonly [string, string | Forged, JwtSvidFault])[] = [
    ['nothing', '', 'malformed'],
    ['words', 'not a token', 'malformed'],
    ['two parts', `${head}.${payload}`, 'malformed'],
    ['four parts', `${valid}.e30`, 'malformed'],
    ['no signature', `${head}.${payload}.`, 'malformed'],
    ['padding', `${head}.${payload}.${signature}=`, 'malformed'],
    ['JSON serialisation', JSON.stringify({ protected: head, payload, signature }), 'malformed'],
    ['too long', `${'a'.repeat(16_400)}.b.c`, 'malformed'],
    ['header no JSON', `${Buffer.from('nein').toString('base64url')}.${payload}.${signature}`, 'malformed'],
    ['header a list', raw([], good), 'malformed'],
    ['payload no JSON', `${head}.${Buffer.from('nein').toString('base64url')}.${signature}`, 'malformed'],
    ['payload a list', raw({ alg: 'ES256', kid: kid(east) }, []), 'malformed'],
    ['alg none', raw({ alg: 'none', kid: kid(east) }, good), 'wrong-algorithm'],
    ['alg None', raw({ alg: 'None', kid: kid(east) }, good), 'wrong-algorithm'],
    ['no alg', raw({ kid: kid(east) }, good), 'wrong-algorithm'],
    ['alg a list', raw({ alg: ['ES256'], kid: kid(east) }, good), 'wrong-algorithm'],
    ['HS256 by the public key', raw({ alg: 'HS256', kid: kid(east), typ: 'JWT' }, good, hmac), 'wrong-algorithm'],
    ['EdDSA', raw({ alg: 'EdDSA', kid: kid(east) }, good), 'wrong-algorithm'],
    ['ES256K', raw({ alg: 'ES256K', kid: kid(east) }, good), 'wrong-algorithm'],
    ['RS256 by an EC key', { key: rsa, header: { alg: 'RS256' } }, 'bad-signature'],
    ['ES384 by a P-256 key', { key: p384, header: { alg: 'ES384' } }, 'bad-signature'],
    ['typ at+jwt', { header: { typ: 'at+jwt' } }, 'malformed'],
    ['typ jwt', { header: { typ: 'jwt' } }, 'malformed'],
    ['crit', raw({ alg: 'ES256', kid: kid(east), crit: ['exp'], exp: 1 }, good), 'malformed'],
    ['its own key', { header: { jwk: publicJwk(spkiOf(stranger)) as never }, key: stranger }, 'malformed'],
    ['a key of its own URL', { header: { jku: 'https://evil.test/keys' }, key: stranger }, 'malformed'],
    ['no kid', { header: { kid: undefined } }, 'unknown-key'],
    ['empty kid', { header: { kid: '' } }, 'unknown-key'],
    ['kid a number', raw({ alg: 'ES256', kid: 7 }, good), 'unknown-key'],
    ['unknown kid', { header: { kid: kid(stranger) }, key: stranger }, 'unknown-key'],
    ['another key under this kid', { key: stranger }, 'bad-signature'],
    ['another cluster under this kid', { key: west }, 'bad-signature'],
    ['changed claims', `${head}.${other64(payload)}.${signature}`, 'malformed'],
    ['changed signature', `${head}.${payload}.${other64(signature)}`, 'bad-signature'],
    ['DER signature', raw({ alg: 'ES256', kid: kid(east) }, good, Buffer.alloc(71, 48)), 'bad-signature'],
    ['zero signature', raw({ alg: 'ES256', kid: kid(east) }, good, Buffer.alloc(64)), 'bad-signature'],
    ['no exp', { claims: { exp: undefined } }, 'missing-claim'],
    ['exp a text', { claims: { exp: '9999999999' } }, 'malformed'],
    ['exp null', raw({ alg: 'ES256', kid: kid(east) }, { ...good, exp: null }), 'malformed'],
    ['expired', { claims: { exp: seconds - 61 } }, 'expired'],
    ['exp negative', raw({ alg: 'ES256', kid: kid(east) }, { ...good, exp: -1 }), 'malformed'],
    ['not yet', { claims: { nbf: seconds + 120 } }, 'not-yet-valid'],
    ['of the future', { claims: { iat: seconds + 120 } }, 'not-yet-valid'],
    ['no aud', { claims: { aud: undefined } }, 'missing-claim'],
    ['no audience in aud', { claims: { aud: [] } }, 'wrong-audience'],
    ['aud a number', { claims: { aud: [7] } }, 'malformed'],
    ['another aud', { claims: { aud: ['payment', 'payments '] } }, 'wrong-audience'],
    ['no sub', { claims: { sub: undefined } }, 'missing-claim'],
    ['sub no SPIFFE id', { claims: { sub: 'orders' } }, 'malformed'],
    ['sub a trust domain', { claims: { sub: 'spiffe://mesh.test' } }, 'malformed'],
    ['sub with dots', { claims: { sub: 'spiffe://mesh.test/ns/shop/../sa/orders' } }, 'malformed'],
    ['sub of no form of ours', { claims: { sub: 'spiffe://mesh.test/any/path' } }, 'malformed'],
    ['an unknown domain', { claims: { sub: 'spiffe://unknown.test/ns/shop/sa/orders' } }, 'wrong-trust-domain'],
    ['a domain without JWT keys', { claims: { sub: 'spiffe://silent.test/ns/shop/sa/orders' } }, 'wrong-trust-domain'],
    ['our key for another domain', { claims: { sub: 'spiffe://partner.test/ns/shop/sa/orders' } }, 'unknown-key'],
    ['another domain for ours', { key: foreign, header: { kid: 'partner' } }, 'unknown-key'],
    ['west says it is east', byWest, 'wrong-cluster'],
    ['east says it is west', { claims: { [clusterClaim]: 'west' } }, 'wrong-cluster'],
    ['no cluster', { claims: { [clusterClaim]: undefined } }, 'wrong-cluster'],
    ['empty cluster', { claims: { [clusterClaim]: '' } }, 'wrong-cluster'],
    ['a list of clusters', { claims: { [clusterClaim]: ['east'] } }, 'wrong-cluster'],
    [
      'west for a namespace that is not its',
      { ...byWest, claims: { [clusterClaim]: 'west', sub: 'spiffe://mesh.test/ns/bank/sa/teller' } },
      'wrong-name',
    ],
    [
      'a key that has ended',
      { key: p384, header: { alg: 'ES384', kid: 'ended' }, claims: { [clusterClaim]: 'old', exp: seconds } },
      'unknown-key',
    ],
    ['longer than its key', { claims: { exp: seconds + 90_000 } }, 'too-long-lived'],
  ];
  for (const [name, each, why] of table) {
    await t.test(name, async () => {
      const token = typeof each === 'string' ? each : await forge(each);
      const verdict = verifyJwtSvid(token, 'payments', bundles, now);
      assert.ok(!verdict.ok);
      assert.equal(verdict.why, why, verdict.reason);
      for (const part of token.split('.'))
        if (part.length > 8) assert.ok(!verdict.reason.includes(part), 'nothing of the token is repeated');
    });
  }
});

test('a cluster that claims the key of another takes nothing from it', async () => {
  const claimed = [{ trustDomain: 'mesh.test', jwtKeys: [own('west', east, { namespaces: ['shop'] }), own('east', east)] }];
  assert.ok(verifyJwtSvid(await forge({}), 'payments', claimed, now).ok);
  assert.ok(!verifyJwtSvid(await forge({ key: west }), 'payments', claimed, now).ok);
});

test('audiences are bounded', () => {
  const table: readonly (readonly [readonly string[], RegExp | undefined])[] = [
    [['a'], undefined],
    [Array.from({ length: 16 }, (_, i) => `a${i}`), undefined],
    [['ä'.repeat(256)], undefined],
    [[], /required/],
    [[''], /empty/],
    [['a', 'a'], /twice/],
    [['a\nb'], /control/],
    [['ä'.repeat(257)], /512 bytes/],
    [Array.from({ length: 17 }, (_, i) => `a${i}`), /at most 16/],
  ];
  for (const [audiences, expected] of table) {
    const fault = audienceFault(audiences);
    if (expected === undefined) assert.equal(fault, undefined);
    else assert.match(fault ?? '', expected);
  }
});
