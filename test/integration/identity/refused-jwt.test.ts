import { createHmac, KeyObject, sign, type webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { exportSPKI, generateKeyPair, importJWK } from 'jose';
import type { AttestationPolicySpec, AttestationRule } from '../../../core/config/index.ts';
import { createCsr, generateKey } from '../../../core/pki/index.ts';
import { attestorFor, audience, cel, oidcSpec, rule, tokenReviews } from '../../support/attest/attestor-scene.ts';
import { type RefusalCase, RefusalTable } from '../../support/attest/refusal-table.ts';
import { startTokenIssuer } from '../../support/attest/token-issuer.ts';

const { UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE } = status;
const day = 86_400;
const now = () => Date.now();
const seconds = () => Math.floor(Date.now() / 1_000);
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

const policy = (
  attestor: AttestationPolicySpec['attestor'],
  rules: readonly AttestationRule[] = [rule()],
  sources: readonly string[] = [],
) => ({ attestor, rules, sources });

test('tokens of an OIDC issuer that are forged, replayed, out of time or for somebody else are refused, each with its reason', async (t) => {
  const issuer = await startTokenIssuer(t, { now, audience });
  const down = await startTokenIssuer(t, { now, audience });
  down.down = true;
  const spec = oidcSpec(issuer, { algorithms: ['RS256'] });
  const labels = { namespace: cel('claims.ns'), serviceAccount: cel('claims.account'), services: [] };
  const table = await RefusalTable.open(t, (parts) => [
    attestorFor(parts, 'shop/ci', policy(spec)),
    attestorFor(parts, 'shop/none', policy(spec, [rule({}, 'claims.sub == "nobody"'), rule({}, 'claims.missing.deep == "x"')])),
    attestorFor(parts, 'shop/said', policy(spec, [rule(labels)])),
    attestorFor(parts, 'isthmus-system/said', policy(spec, [rule(labels)])),
    attestorFor(parts, 'shop/far', policy(spec, [rule()], ['192.0.2.0/24'])),
    attestorFor(parts, 'shop/down', policy(oidcSpec(down))),
  ]);
  const stranger = await generateKeyPair('RS256');
  const es256 = await generateKeyPair('ES256');
  const pem = await exportSPKI((await importJWK(issuer.keys[0] ?? {}, 'RS256')) as Parameters<typeof exportSPKI>[0]);
  const [header = '', payload = '', signature = ''] = (await issuer.token()).split('.');
  const hs256 = () => {
    const signed = `${encoded({ alg: 'HS256', kid: 'key-1' })}.${payload}`;
    return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
  };
  const critical = () => {
    const signed = `${encoded({ alg: 'RS256', kid: 'key-1', crit: ['x'], x: 1 })}.${payload}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), KeyObject.from(issuer.privateKey as webcrypto.CryptoKey)).toString('base64url')}`;
  };
  const used = await issuer.token();
  const owner = generateKey();
  await table.attest({ attestor: 'shop/ci', proof: used, key: owner });
  const [gone, keyOfGone] = [await issuer.token(), generateKey()];
  await table.attest({ attestor: 'shop/ci', proof: gone, key: keyOfGone, instance: 'vm-9' });
  for (const { key } of (await table.plane.store.list('ca/grants/')).entries) {
    const grant = await table.plane.ledger.grant(key.slice('ca/grants/'.length));
    if (grant?.value.instance === 'vm-9') await table.plane.ledger.revokeGrant(grant.value.id, now());
  }
  const row = (
    name: string,
    code: status,
    reason: RefusalCase['reason'],
    proof: string | Promise<string>,
    more: object = {},
  ): RefusalCase => ({
    name,
    code,
    reason,
    send: async () => table.attest({ attestor: 'shop/ci', proof: await proof, ...more }),
  });
  const no = (name: string, reason: RefusalCase['reason'], proof: string | Promise<string>, more: object = {}) =>
    row(name, UNAUTHENTICATED, reason, proof, more);
  const forbidden = (name: string, reason: RefusalCase['reason'], proof: string | Promise<string>, more: object = {}) =>
    row(name, PERMISSION_DENIED, reason, proof, more);
  const said = (claims: Record<string, unknown>) => issuer.token({ ns: 'shop', account: 'orders', ...claims });
  await table.check([
    no('no token', 'malformed', 'not a token at all'),
    no('five parts', 'malformed', `${used}.abc.def`),
    no('a header that is no JSON', 'malformed', `AAAA.${payload}.${signature}`),
    no('17 KiB', 'too-large', issuer.token({ groups: 'g'.repeat(17_000) })),
    no('alg none', 'wrong-algorithm', `${encoded({ alg: 'none' })}.${payload}.`),
    no('alg none in other letters', 'wrong-algorithm', `${encoded({ alg: 'nOnE' })}.${payload}.`),
    no('HS256 with the public key', 'wrong-algorithm', hs256()),
    no('an algorithm that the policy does not name', 'wrong-algorithm', issuer.token({}, { alg: 'ES256' }, es256.privateKey)),
    no('a key that nobody published', 'unknown-key', issuer.token({}, { kid: 'key-2' }, stranger.privateKey)),
    no("the issuer's kid, another key", 'bad-signature', issuer.token({}, {}, stranger.privateKey)),
    no(
      'its own key in the header',
      'bad-signature',
      issuer.token({}, { jwk: issuer.keys[0], jku: 'http://127.0.0.1:1/keys' } as object, stranger.privateKey),
    ),
    no(
      'another payload',
      'bad-signature',
      `${header}.${encoded({ iss: issuer.url, sub: 'admin', aud: audience, exp: seconds() + 60 })}.${signature}`,
    ),
    no('half a signature', 'bad-signature', `${header}.${payload}.${signature.slice(0, 100)}`),
    no('a critical extension that nobody knows', 'malformed', critical()),
    no('expired', 'expired', issuer.token({ iat: seconds() - 900, exp: seconds() - 120 })),
    no('not valid yet', 'not-yet-valid', issuer.token({ nbf: seconds() + 300 })),
    no('made in the future', 'not-yet-valid', issuer.token({ iat: seconds() + 300, exp: seconds() + 600 })),
    no('without an end', 'missing-claim', issuer.token({ exp: undefined })),
    no('an end that is a text', 'malformed', issuer.token({ exp: 'tomorrow' })),
    no('without an audience', 'missing-claim', issuer.token({ aud: undefined })),
    no('without a subject', 'missing-claim', issuer.token({ sub: undefined })),
    no('without an issuer', 'missing-claim', issuer.token({ iss: undefined })),
    no('for a shop', 'wrong-audience', issuer.token({ aud: 'https://shop.example.org' })),
    no('for another cluster', 'wrong-audience', issuer.token({ aud: 'isthmus/mesh.test/west' })),
    no('for another trust domain', 'wrong-audience', issuer.token({ aud: ['isthmus/other.test/east', 'isthmus/mesh.test'] })),
    no('of another issuer', 'untrusted-issuer', issuer.token({ iss: `${issuer.url}/` })),
    no('two days long', 'too-long-lived', issuer.token({ exp: seconds() + 2 * day })),
    no('ten years long, made long ago', 'too-long-lived', issuer.token({ iat: seconds() - 3_000 * day, exp: seconds() + 60 })),
    no('a jti that is a number', 'malformed', issuer.token({ jti: 7 })),
    no('replayed with another key', 'replayed', used),
    forbidden('for which the rule has no value', 'bad-grant', issuer.token(), { attestor: 'shop/said' }),
    forbidden('as another instance', 'wrong-instance', used, { key: owner, instance: 'vm-2' }),
    no('of a grant that was revoked', 'revoked', gone, { key: keyOfGone, instance: 'vm-9' }),
    forbidden('for another name', 'wrong-name', issuer.token(), {
      csr: createCsr(generateKey(), { uris: ['spiffe://mesh.test/ns/shop/sa/payments'] }),
    }),
    forbidden('that no rule matches', 'no-rule', issuer.token(), { attestor: 'shop/none' }),
    forbidden('that asks for another namespace than the policy has', 'bad-grant', said({ ns: 'bank' }), { attestor: 'shop/said' }),
    forbidden('whose claim is no name', 'bad-grant', said({ account: 'a/../b' }), { attestor: 'shop/said' }),
    forbidden('whose claim is 300 characters', 'bad-grant', said({ account: 'a'.repeat(300) }), { attestor: 'shop/said' }),
    forbidden('whose claim is a number', 'bad-grant', said({ account: 7 }), { attestor: 'shop/said' }),
    forbidden('that asks to be the control plane', 'bad-grant', said({ ns: 'isthmus-system', account: 'control' }), {
      attestor: 'isthmus-system/said',
    }),
    forbidden('that asks to be a gateway', 'bad-grant', said({ ns: 'isthmus-system', account: 'gateway' }), {
      attestor: 'isthmus-system/said',
    }),
    forbidden('from elsewhere', 'wrong-source', issuer.token(), { attestor: 'shop/far' }),
    row('while nobody knows the keys', UNAVAILABLE, 'issuer-unavailable', down.token(), { attestor: 'shop/down' }),
  ]);
});

test('workload identities of Nomad and service account tokens of Kubernetes that are not what they should be are refused', async (t) => {
  const nomadClaims = { iss: undefined, nomad_namespace: 'default', nomad_job_id: 'orders', nomad_allocation_id: 'a-1' };
  const nomad = await startTokenIssuer(t, { now, audience, claims: nomadClaims });
  const cluster = await startTokenIssuer(t, { now, audience, claims: { sub: 'system:serviceaccount:shop:orders', pod: 'p-1' } });
  const limits = { audiences: [], maxLifetimeMs: day * 1_000, keepKeysMs: day * 1_000 };
  const forgotten = new Set(['forgotten']);
  const kubernetes = { type: 'kubernetes' as const, audiences: [], maxLifetimeMs: day * 1_000 };
  const table = await RefusalTable.open(t, (parts) => [
    attestorFor(parts, 'shop/nomad', policy({ type: 'nomad', url: nomad.url, ...limits })),
    attestorFor(parts, 'shop/named', policy({ type: 'nomad', url: nomad.url, issuer: 'https://nomad.example.org', ...limits })),
    attestorFor(parts, 'shop/pods', policy(kubernetes), tokenReviews(cluster, forgotten)),
    attestorFor(parts, 'shop/away', policy(kubernetes)),
  ]);
  const stranger = await generateKeyPair('RS256');
  const row = (
    attestor: string,
    name: string,
    reason: RefusalCase['reason'],
    proof: string | Promise<string>,
    code = UNAUTHENTICATED,
  ): RefusalCase => ({
    name: `${attestor}: ${name}`,
    code,
    reason,
    send: async () => table.attest({ attestor, proof: await proof }),
  });
  const used = await cluster.token();
  await table.attest({ attestor: 'shop/pods', proof: used });
  await table.check([
    row('shop/nomad', 'of no allocation', 'missing-claim', nomad.token({ nomad_allocation_id: undefined })),
    row('shop/nomad', 'of no job', 'missing-claim', nomad.token({ nomad_job_id: undefined })),
    row('shop/nomad', "for Nomad's own use", 'wrong-audience', nomad.token({ aud: 'nomadproject.io' })),
    row('shop/nomad', 'that never ends', 'missing-claim', nomad.token({ exp: undefined })),
    row('shop/nomad', 'of another key', 'bad-signature', nomad.token({}, {}, stranger.privateKey)),
    row('shop/named', 'of no issuer', 'missing-claim', nomad.token()),
    row('shop/pods', 'that never ends', 'missing-claim', cluster.token({ exp: undefined })),
    row('shop/pods', 'for the API server', 'wrong-audience', cluster.token({ aud: 'https://kubernetes.default.svc' })),
    row('shop/pods', 'a year long', 'too-long-lived', cluster.token({ exp: seconds() + 365 * day })),
    row('shop/pods', 'expired', 'expired', cluster.token({ iat: seconds() - 900, exp: seconds() - 300 })),
    row('shop/pods', 'of the future', 'not-yet-valid', cluster.token({ nbf: seconds() + 600 })),
    row('shop/pods', 'forged', 'issuer-refused', cluster.token({}, {}, stranger.privateKey)),
    row('shop/pods', 'of a pod that is gone', 'issuer-refused', cluster.token({ jti: 'forgotten' })),
    row('shop/pods', 'of a person', 'wrong-role', cluster.token({ sub: 'ann@example.org' }), PERMISSION_DENIED),
    row('shop/pods', 'replayed', 'replayed', used),
    row('shop/pods', 'no token', 'malformed', 'eyJ.not.'),
    row('shop/away', 'while the API server is away', 'issuer-unavailable', cluster.token(), UNAVAILABLE),
  ]);
});
