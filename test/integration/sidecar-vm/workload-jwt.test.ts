import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { MeshError } from '../../../core/errors.ts';
import { keyIdOf, signJwtSvid } from '../../../core/jwt/index.ts';
import { generateKey, type JwtKey, spkiOf } from '../../../core/pki/index.ts';
import {
  type JWTBundlesResponse,
  type JWTSVIDResponse,
  SpiffeWorkloadAPIClient,
  type ValidateJWTSVIDResponse,
} from '../../../core/xds/gen/spiffe/workload/workload.ts';
import { JwtTokens } from '../../../sidecar-vm/workload-api/jwt-tokens.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { AgentPlane, agentOptions, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { Said, securityHeader, workloadScene } from '../../support/workload-scene.ts';

const me = process.getuid?.() ?? 0;
const orders = 'spiffe://mesh.test/ns/shop/sa/orders';
const { INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE } = status;

const fetched = (client: SpiffeWorkloadAPIClient, audience: string[], spiffeId = '', header = securityHeader()) =>
  new Promise<JWTSVIDResponse>((resolve, reject) => {
    client.fetchJwtsvid({ audience, spiffeId }, header, (error, reply) => (error === null ? resolve(reply) : reject(error)));
  });
const validated = (client: SpiffeWorkloadAPIClient, svid: string, audience: string, header = securityHeader()) =>
  new Promise<ValidateJWTSVIDResponse>((resolve, reject) => {
    client.validateJwtsvid({ audience, svid }, header, (error, reply) => (error === null ? resolve(reply) : reject(error)));
  });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'OK',
    (error: ServiceError) => status[error.code],
  );

function keyOf(cluster: string, namespaces = ['*'], key = generateKey()) {
  const publicKey = spkiOf(key);
  const keyId = keyIdOf(publicKey) ?? '';
  const trusted: JwtKey = { cluster, keyId, publicKey, notAfterMs: cluster === '' ? 0 : Date.now() + 86_400_000, namespaces };
  const sign = (subject: string, audiences: readonly string[], lifeMs = 300_000) => {
    const now = Date.now();
    const signed = signJwtSvid(key, keyId, { subject, audiences, cluster, issuedAt: now, expiresAt: now + lifeMs, id: 'x' });
    return { token: signed.token, expiresAtMs: signed.expiresAt, serverTimeMs: now };
  };
  return { trusted, sign };
}

test('an agent of a real control plane hands out tokens that its bundle verifies, from memory until half of their life', async (t) => {
  const plane = await AgentPlane.start(t);
  const open = await temporaryDir(t);
  await chmod(open, 0o755);
  const socket = join(open, 'run', 'workload.sock');
  const input = agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), workloadApi: { socket } });
  const agent = await runTestAgent(t, input);
  const client = new SpiffeWorkloadAPIClient(`unix:${socket}`, credentials.createInsecure());
  onEnd(t, () => client.close());
  const { trustDomain } = plane.plane.authority;
  const id = `spiffe://${trustDomain}/ns/shop/sa/orders`;
  const [svid] = (await fetched(client, ['payments'], id)).svids;
  assert.equal(svid?.spiffeId, id);
  const said = new Said<JWTBundlesResponse>(t, client.fetchJwtBundles({}, securityHeader()));
  const bundle = await until('keys', () =>
    said.all.map((each) => each.bundles[`spiffe://${trustDomain}`]?.toString()).find((text) => text?.includes('kid')),
  );
  const jwks = JSON.parse(bundle ?? '{}') as { keys: Record<string, unknown>[] };
  assert.ok(jwks.keys.every((key) => !('use' in key) && !('d' in key)));
  const { payload } = await jwtVerify(svid?.svid ?? '', createLocalJWKSet(jwks as never), { audience: 'payments' });
  assert.equal(payload.sub, id);
  const { spiffeId, claims } = await validated(client, svid?.svid ?? '', 'payments');
  assert.equal(spiffeId, id);
  assert.deepEqual(claims, payload);
  const signed = () => plane.plane.lines.filter((line) => line.startsWith('JWT-SVID signed')).length;
  const before = signed();
  assert.equal((await fetched(client, ['payments'])).svids[0]?.svid, svid?.svid);
  assert.equal(signed(), before, 'the same again is not asked for again');
  const two = (await fetched(client, ['b', 'a'])).svids[0]?.svid;
  assert.equal((await fetched(client, ['a', 'b'])).svids[0]?.svid, two, 'of one set in any order');
  assert.equal(signed(), before + 1);
  await plane.stop();
  assert.equal((await fetched(client, ['payments'])).svids[0]?.svid, svid?.svid, 'and while nobody signs');
  assert.equal(await code(fetched(client, ['new'])), 'UNAVAILABLE');
  for (const secret of [svid?.svid, two]) assert.ok(!agent.lines.join('\n').includes(secret?.split('.')[2] ?? '-'));
});

test('a grant that was revoked gets no token any more', async (t) => {
  const plane = await AgentPlane.start(t);
  const open = await temporaryDir(t);
  await chmod(open, 0o755);
  const socket = join(open, 'run', 'workload.sock');
  await runTestAgent(t, agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), workloadApi: { socket } }));
  const client = new SpiffeWorkloadAPIClient(`unix:${socket}`, credentials.createInsecure());
  onEnd(t, () => client.close());
  await fetched(client, ['payments']);
  const grants = await plane.plane.ledger.grants();
  for (const { id } of grants) await plane.plane.ledger.revokeGrant(id, Date.now() + 10 * 86_400_000);
  assert.equal(await code(fetched(client, ['stock'])), 'PERMISSION_DENIED');
});

test('callers get their own tokens alone, audiences are demanded, and every refusal is counted', async (t) => {
  const east = keyOf('east');
  const asked: string[][] = [];
  const { client, metrics, sources, pki } = await workloadScene(
    t,
    { orders: { uid: [me] }, other: { uid: [me + 1] } },
    {},
    async (name, audiences) => {
      asked.push([name, ...audiences]);
      return east.sign(`spiffe://mesh.test/ns/shop/sa/${name}`, audiences);
    },
  );
  const one = client();
  const [svid] = (await fetched(one, ['payments'])).svids;
  assert.deepEqual([svid?.spiffeId, svid?.hint], [orders, 'the orders']);
  assert.deepEqual(asked, [['orders', 'payments']]);
  const refused: readonly (readonly [string, Promise<unknown>, status])[] = [
    ['no audience', fetched(one, []), INVALID_ARGUMENT],
    ['an empty audience', fetched(one, ['']), INVALID_ARGUMENT],
    [
      'too many audiences',
      fetched(
        one,
        Array.from({ length: 17 }, (_, i) => `${i}`),
      ),
      INVALID_ARGUMENT,
    ],
    ['an audience too long', fetched(one, ['a'.repeat(513)]), INVALID_ARGUMENT],
    ["another's identity", fetched(one, ['payments'], 'spiffe://mesh.test/ns/shop/sa/other'), PERMISSION_DENIED],
    ['no header', fetched(one, ['payments'], '', new Metadata()), INVALID_ARGUMENT],
    ['validating without a header', validated(one, svid?.svid ?? '', 'payments', new Metadata()), INVALID_ARGUMENT],
    ['validating without an audience', validated(one, svid?.svid ?? '', ''), INVALID_ARGUMENT],
    ['validating nothing', validated(one, '', 'payments'), INVALID_ARGUMENT],
  ];
  for (const [name, promise, expected] of refused) assert.equal(await code(promise), status[expected], name);
  sources.get('orders')?.set(pki.svid('east', 'shop', 'orders', { now: Date.now() - 7_200_000, lifetimeMs: 3_600_000 }));
  assert.equal(await code(fetched(one, ['payments'])), status[UNAVAILABLE], 'an SVID that has ended');
  const text = await metrics.metrics();
  for (const [reason, count] of Object.entries({ 'bad-audience': 5, 'wrong-name': 1, 'no-header': 2, 'token-malformed': 1, ended: 1 }))
    assert.match(text, new RegExp(`isthmus_workload_api_refusals_total\\{reason="${reason}"\\} ${count}\\n`), reason);
});

test('tokens of the mesh and of other trust domains are validated, and bundles hold no key that may not sign for all', async (t) => {
  const [east, bounded, partner] = [keyOf('east'), keyOf('west', ['shop']), keyOf('')];
  const { client, setBundles, pki } = await workloadScene(t, { orders: {} });
  const one = client();
  const said = new Said<JWTBundlesResponse>(t, one.fetchJwtBundles({}, securityHeader()));
  const kids = (bundles: JWTBundlesResponse['bundles']) =>
    Object.entries(bundles).map(([name, text]) => [
      name,
      (JSON.parse(text.toString()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid),
    ]);
  await until('bundles', () => said.all.length === 1);
  assert.deepEqual(kids(said.all[0]?.bundles ?? {}), [['spiffe://mesh.test', []]], 'the own one is always there');
  setBundles([
    { ...pki.bundle, jwtKeys: [east.trusted, bounded.trusted] },
    { trustDomain: 'partner.test', roots: [], intermediates: [], deniedSerials: [], federated: true, jwtKeys: [partner.trusted] },
    { trustDomain: 'silent.test', roots: [], intermediates: [], deniedSerials: [], federated: true },
  ]);
  await until('more', () => said.all.length === 2);
  assert.deepEqual(kids(said.all[1]?.bundles ?? {}), [
    ['spiffe://mesh.test', [east.trusted.keyId]],
    ['spiffe://partner.test', [partner.trusted.keyId]],
  ]);
  const id = async (token: string) => (await validated(one, token, 'payments')).spiffeId;
  assert.equal(await id(east.sign(orders, ['payments']).token), orders);
  assert.equal(await id(bounded.sign(orders, ['payments']).token), orders);
  assert.equal(await id(partner.sign('spiffe://partner.test/a/b', ['payments']).token), 'spiffe://partner.test/a/b');
  const bad: readonly (readonly [string, RegExp])[] = [
    [east.sign(orders, ['stock']).token, /for another audience/],
    [bounded.sign('spiffe://mesh.test/ns/bank/sa/teller', ['payments']).token, /cluster west may not sign for this subject's namespace/],
    [partner.sign(orders, ['payments']).token, /none of that trust domain/],
    [keyOf('east').sign(orders, ['payments']).token, /none of that trust domain/],
    [east.sign('spiffe://silent.test/a', ['payments']).token, /no JWT keys of the trust domain silent\.test/],
  ];
  for (const [token, expected] of bad)
    await assert.rejects(validated(one, token, 'payments'), (error: ServiceError) => {
      assert.equal(error.code, INVALID_ARGUMENT);
      assert.match(error.details, expected);
      return true;
    });
});

test('tokens are kept until half of their life, asked for once by many, given on while nobody signs, and not when they are refused', async () => {
  const clock = new ManualClock();
  let signed = 0;
  let fault: MeshError | undefined;
  const tokens = new JwtTokens({
    clock,
    sign: async (audiences) => {
      if (fault !== undefined) throw fault;
      signed += 1;
      // A signer whose clock is an hour ahead.
      return { token: `${audiences.join()} ${signed}`, serverTimeMs: clock.now() + 3_600_000, expiresAtMs: clock.now() + 3_900_000 };
    },
  });
  const token = (...audiences: string[]) => tokens.token(orders, audiences);
  assert.deepEqual(await Promise.all([token('a'), token('a'), token('a')]), ['a 1', 'a 1', 'a 1']);
  assert.equal(await token('b'), 'b 2');
  assert.equal(await tokens.token('spiffe://mesh.test/ns/shop/sa/other', ['a']), 'a 3');
  clock.advance(149_999);
  assert.equal(await token('a'), 'a 1');
  clock.advance(1);
  assert.equal(await token('a'), 'a 4');
  clock.advance(150_000);
  fault = new MeshError('PEER_UNREACHABLE', 'gone', { retryable: true });
  assert.equal(await token('a'), 'a 4', 'it still holds');
  clock.advance(140_000);
  await assert.rejects(token('a'), { code: 'PEER_UNREACHABLE' }, 'what ends within seconds is no use');
  fault = undefined;
  assert.equal(await token('a'), 'a 5');
  clock.advance(150_000);
  fault = new MeshError('IDENTITY_INVALID', 'revoked');
  await assert.rejects(token('a'), { code: 'IDENTITY_INVALID' });
  fault = new MeshError('PEER_UNREACHABLE', 'gone', { retryable: true });
  await assert.rejects(token('a'), { code: 'PEER_UNREACHABLE' }, 'who was refused has none any more');
  let release: () => void = () => {};
  const slow = new JwtTokens({
    clock,
    sign: () => new Promise((resolve) => (release = () => resolve({ token: 'x', serverTimeMs: 0, expiresAtMs: 1 }))),
  });
  const many = Array.from({ length: 40 }, (_, i) => slow.token(orders, [`${i}`]));
  const limited = await Promise.allSettled(many.slice(32));
  assert.ok(limited.every((each) => each.status === 'rejected' && (each.reason as MeshError).code === 'LIMIT_EXCEEDED'));
  release();
  assert.equal(await many[31], 'x');
});
