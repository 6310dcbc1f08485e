import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { loadRoot } from '../../../control/ca/index.ts';
import { clusterClaim, publicJwk, verifyJwtSvid } from '../../../core/jwt/index.ts';
import { generateKey, issueIntermediate, issueLeafWithNames, parseCertificate, spkiOf } from '../../../core/pki/index.ts';
import { type RefusalCase, RefusalTable } from '../../support/attest/refusal-table.ts';

const { UNAUTHENTICATED, INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED } = status;
const hour = 3_600_000;
const subject = 'spiffe://mesh.test/ns/shop/sa/orders';

async function scene(t: Parameters<typeof RefusalTable.open>[0]) {
  const table = await RefusalTable.open(t);
  const { plane } = table;
  const joined = async (instance: string) => {
    const key = generateKey();
    const { chain } = await table.attest({ attestor: 'join-token', proof: await plane.token(), key, instance });
    const leaf = parseCertificate(chain[0] ?? Buffer.alloc(0));
    assert.ok(leaf.ok);
    return { client: table.withChain(chain, key), serial: leaf.value.serial, notAfter: leaf.value.notAfter };
  };
  const trust = () => [{ trustDomain: 'mesh.test', jwtKeys: plane.jwtKeys.published() }];
  return { table, plane, joined, trust };
}

test('who holds an SVID gets a JWT-SVID of the same identity, bounded by it, that another library verifies; the token is in no log', async (t) => {
  const { table, plane, joined, trust } = await scene(t);
  const vm = await joined('vm-1');
  const before = Date.now();
  const { token, expiresAtMs, serverTimeMs } = await table.signJwt(vm.client);
  assert.ok(Math.abs(serverTimeMs - before) < 60_000);
  assert.ok(expiresAtMs <= serverTimeMs + 300_000 && expiresAtMs > before + 298_000, 'five minutes unless said');
  const keys = plane.jwtKeys.published().map(({ keyId, publicKey }) => ({ ...publicJwk(publicKey), kid: keyId }));
  const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: keys as never }), { audience: 'payments', subject });
  assert.deepEqual([payload.exp, payload['isthmus.dev/cluster']], [expiresAtMs / 1_000, 'east']);
  const verdict = verifyJwtSvid(token, 'payments', trust(), Date.now());
  assert.ok(verdict.ok && verdict.claims[clusterClaim] === 'east');
  const long = await table.signJwt(vm.client, { ttlMs: hour, audiences: ['a', 'b'] });
  assert.ok(long.expiresAtMs <= vm.notAfter, 'never longer than the SVID');
  const [line] = plane.lines.filter((each) => each.startsWith('JWT-SVID signed'));
  assert.match(line ?? '', new RegExp(`"jti":"${String(payload.jti)}"`));
  table.assertNothingLeaked();
});

test('JWT-SVIDs without an SVID, on foreign, revoked or denied ones, and for bad audiences or lifetimes, are refused', async (t) => {
  const { table, plane, joined } = await scene(t);
  const vm = await joined('vm-1');
  await table.signJwt(vm.client);
  const [forgotten, revoked, denied, greedy] = [await joined('vm-2'), await joined('vm-3'), await joined('vm-4'), await joined('vm-5')];
  await plane.store.txn({ if: [], then: [{ op: 'delete', key: `ca/issued/${forgotten.serial}` }] });
  await table.signJwt(revoked.client);
  const grant = await plane.ledger.grantOfSerial(revoked.serial);
  await plane.ledger.revokeGrant(grant?.id ?? '', Date.now() + 2 * hour);
  await plane.authority.setDenied([denied.serial]);
  const root = await loadRoot(join(table.dir, 'root'), 'mesh.test');
  const [caKey, key] = [generateKey(), generateKey()];
  const west = issueIntermediate(root, spkiOf(caKey), 'west', 'mesh.test', Date.now(), hour);
  const names = { uris: [subject], dns: ['west.cluster.mesh.test'] };
  const leaf = issueLeafWithNames({ key: caKey, certificate: west }, spkiOf(key), names, Date.now(), hour);
  const peers = table.withChain([leaf.der, west.der], key);
  const row = (name: string, code: status, reason: RefusalCase['reason'], send: () => Promise<unknown>): RefusalCase => {
    return { name, code, what: reason === 'bad-certificate' ? 'connection' : 'jwt-svid', reason, send };
  };
  const bad = (name: string, request: Parameters<typeof table.signJwt>[1]) =>
    row(name, INVALID_ARGUMENT, 'malformed', () => table.signJwt(vm.client, request));
  await table.check([
    row('without a certificate', UNAUTHENTICATED, 'no-certificate', () => table.signJwt()),
    row('of a grant that the ledger does not know', UNAUTHENTICATED, 'not-issued-here', () => table.signJwt(forgotten.client)),
    row('of a revoked grant', UNAUTHENTICATED, 'not-issued-here', () => table.signJwt(revoked.client)),
    row("with a peer's SVID of the same identity", UNAUTHENTICATED, 'not-issued-here', () => table.signJwt(peers)),
    { ...row('with an SVID that was denied', PERMISSION_DENIED, 'revoked', () => table.signJwt(denied.client)), what: 'connection' },
    bad('without an audience', { audiences: [] }),
    bad('with an empty audience', { audiences: ['a', ''] }),
    bad('with 17 audiences', { audiences: Array.from({ length: 17 }, (_, i) => `a${i}`) }),
    bad('with an audience of 513 bytes', { audiences: ['a'.repeat(513)] }),
    bad('with an audience twice', { audiences: ['a', 'a'] }),
    bad('with a line break in an audience', { audiences: ['a\nb'] }),
    bad('for more than an hour', { ttlMs: hour + 1 }),
    bad('for less than a second', { ttlMs: 999 }),
    bad('for the past', { ttlMs: -1 }),
  ]);
  // More than the burst and what comes back each second, however slowly they arrive.
  const answers = await Promise.all(
    Array.from({ length: 200 }, () =>
      table.signJwt(greedy.client).then(
        () => 'signed',
        (error: { code: number }) => status[error.code],
      ),
    ),
  );
  assert.ok(answers.filter((each) => each === 'signed').length >= 64);
  assert.ok(answers.includes('RESOURCE_EXHAUSTED'), status[RESOURCE_EXHAUSTED]);
  assert.ok((await table.signJwt(vm.client)).token.length > 0, 'others are not kept from it');
  table.assertNothingLeaked();
});
