import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { createToken, revokeToken, voidOutstandingTokens } from '../../../control/ca/index.ts';
import { formatJoinToken, type JoinToken, parseJoinToken } from '../../../core/identity/index.ts';
import { createCsr, generateKey, pemBlocks } from '../../../core/pki/index.ts';
import { openssl } from '../../support/attest/openssl.ts';
import { type RefusalCase, RefusalTable, turned } from '../../support/attest/refusal-table.ts';

const { UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT, RESOURCE_EXHAUSTED } = status;
const by = { attestor: 'join-token' };

test('join tokens that are forged, used, expired, revoked or for something else are refused, with the reason in log and counter alone', async (t) => {
  const table = await RefusalTable.open(t);
  const { plane } = table;
  const parsed = async (): Promise<JoinToken> => {
    const token = parseJoinToken(await plane.token());
    if (!token.ok) throw new Error('no token');
    return token.value;
  };
  const good = await parsed();
  const [used, fleet] = [await plane.token(), await plane.token({}, { maxUses: 2 })];
  const owner = generateKey();
  await table.attest({ ...by, proof: used, key: owner });
  for (const instance of ['vm-1', 'vm-2']) await table.attest({ ...by, proof: fleet, instance });
  const claims = { role: 'workload' as const, namespace: 'shop', serviceAccount: 'orders', services: [], addresses: [] };
  const past = await createToken(plane.store, { claims, ttlMs: 1_000 }, Date.now() - 60_000);
  const expired = past.ok ? formatJoinToken({ ...good, ...past.value }) : '';
  const revoked = await parsed();
  await revokeToken(plane.store, plane.ledger, revoked.id, Date.now());
  const [granted, keyOfGrant] = [await plane.token(), generateKey()];
  await table.attest({ ...by, proof: granted, key: keyOfGrant });
  const [, grantId = ''] = /"grant":"([0-9a-f]+)"/.exec(await grantsOf(granted)) ?? [];
  await plane.ledger.revokeGrant(grantId, Date.now());
  const elsewhere = await plane.token({}, { sources: ['192.0.2.0/24', '2001:db8::/32'] });
  const cases: RefusalCase[] = [
    { name: 'no token', code: UNAUTHENTICATED, reason: 'malformed', send: () => table.attest({ ...by, proof: 'not a token' }) },
    { name: 'nothing', code: UNAUTHENTICATED, reason: 'malformed', send: () => table.attest({ ...by, proof: '' }) },
    {
      name: 'a token cut short',
      code: UNAUTHENTICATED,
      reason: 'malformed',
      send: () => table.attest({ ...by, proof: used.slice(0, -20) }),
    },
    {
      name: 'a token of 70 KiB',
      code: UNAUTHENTICATED,
      reason: 'malformed',
      send: () => table.attest({ ...by, proof: used.padEnd(70_000, 'A') }),
    },
    {
      name: 'an id that nobody made',
      code: UNAUTHENTICATED,
      reason: 'unknown-token',
      send: () => table.attest({ ...by, proof: formatJoinToken({ ...good, id: '0'.repeat(16) }) }),
    },
    {
      name: 'a wrong secret',
      code: UNAUTHENTICATED,
      reason: 'wrong-secret',
      send: () => table.attest({ ...by, proof: formatJoinToken({ ...good, secret: 'A'.repeat(43) }) }),
    },
    {
      name: 'no secret',
      code: UNAUTHENTICATED,
      reason: 'wrong-secret',
      send: () => table.attest({ ...by, proof: formatJoinToken({ ...good, secret: '', attestor: 'shop/ci' }) }),
    },
    { name: 'another key', code: UNAUTHENTICATED, reason: 'used-up', send: () => table.attest({ ...by, proof: used }) },
    {
      name: 'a third of a fleet of two',
      code: UNAUTHENTICATED,
      reason: 'used-up',
      send: () => table.attest({ ...by, proof: fleet, instance: 'vm-3' }),
    },
    {
      name: 'the same key as another instance',
      code: PERMISSION_DENIED,
      reason: 'wrong-instance',
      send: () => table.attest({ ...by, proof: used, key: owner, instance: 'vm-2' }),
    },
    { name: 'too late', code: UNAUTHENTICATED, reason: 'expired', send: () => table.attest({ ...by, proof: expired }) },
    { name: 'revoked', code: UNAUTHENTICATED, reason: 'revoked', send: () => table.attest({ ...by, proof: formatJoinToken(revoked) }) },
    {
      name: 'its grant was revoked',
      code: UNAUTHENTICATED,
      reason: 'revoked',
      send: () => table.attest({ ...by, proof: granted, key: keyOfGrant }),
    },
    { name: 'from elsewhere', code: PERMISSION_DENIED, reason: 'wrong-source', send: () => table.attest({ ...by, proof: elsewhere }) },
    {
      name: 'no such attestor',
      code: UNAUTHENTICATED,
      reason: 'unknown-attestor',
      send: () => table.attest({ attestor: 'shop/nobody', proof: used }),
    },
    {
      name: 'no name of an attestor',
      code: UNAUTHENTICATED,
      reason: 'unknown-attestor',
      send: () => table.attest({ attestor: 'x'.repeat(9_000), proof: used }),
    },
  ];
  await table.check(cases);
  await voidOutstandingTokens(plane.store, Date.now());
  const voided = { name: 'from before a restore', code: UNAUTHENTICATED, reason: 'expired' as const };
  await table.check([{ ...voided, send: () => table.attest({ ...by, proof: formatJoinToken(good) }) }]);

  async function grantsOf(token: string): Promise<string> {
    const read = parseJoinToken(token);
    const { entries } = await plane.store.list(`ca/token-uses/${read.ok ? read.value.id : ''}/`);
    return entries.map((entry) => Buffer.from(entry.value).toString()).join();
  }
});

test('requests for certificates that are damaged, of weak proof or for another name are refused, and use no token up', async (t) => {
  const table = await RefusalTable.open(t);
  const proof = await table.plane.token();
  const key = generateKey();
  const csr = createCsr(key);
  const { privateKey: p384 } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const file = (name: string) => join(table.dir, name);
  await writeFile(file('p384.pem'), p384.export({ type: 'pkcs8', format: 'pem' }));
  const request = async (name: string, ...args: string[]) =>
    pemBlocks(await openssl('req', '-new', ...args, '-subj', `/CN=${name}`), 'CERTIFICATE REQUEST')[0] ?? Buffer.alloc(0);
  const curve = await request('p384', '-key', file('p384.pem'));
  const rsa = await request('rsa', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('rsa.pem'));
  const ask = (names: { uris?: string[]; dns?: string[] }) => ({ ...by, proof, key, csr: createCsr(key, names) });
  const bad = (name: string, bytes: Uint8Array): RefusalCase => ({
    name,
    code: INVALID_ARGUMENT,
    reason: 'bad-csr',
    send: () => table.attest({ ...by, proof, csr: bytes }),
  });
  const foreign = (name: string, names: { uris?: string[]; dns?: string[] }): RefusalCase => ({
    name,
    code: PERMISSION_DENIED,
    reason: 'wrong-name',
    send: () => table.attest(ask(names)),
  });
  const odd = (instance: string): RefusalCase => ({
    name: `instance ${instance.slice(0, 20)}`,
    code: INVALID_ARGUMENT,
    reason: 'malformed',
    send: () => table.attest({ ...by, proof, instance }),
  });
  const own = 'spiffe://mesh.test/ns/shop/sa/orders';
  await table.check([
    bad('none', Buffer.alloc(0)),
    bad('no DER', Buffer.from('-----BEGIN CERTIFICATE REQUEST-----')),
    bad('truncated DER', csr.subarray(0, csr.length - 7)),
    bad('bytes after the end', Buffer.concat([csr, Buffer.of(0)])),
    bad('a signature that does not hold', turned(csr, -1)),
    bad('another key than the one that signed', turned(csr, 60)),
    bad('P-384', curve),
    bad('RSA', rsa),
    foreign('another service account', { uris: ['spiffe://mesh.test/ns/shop/sa/payments'] }),
    foreign('the control plane', { uris: ['spiffe://mesh.test/ns/isthmus-system/sa/control'] }),
    foreign('another trust domain', { uris: ['spiffe://other.test/ns/shop/sa/orders'] }),
    foreign('its own name and one more', { uris: [own, 'spiffe://mesh.test/ns/shop/sa/payments'] }),
    foreign('a SPIFFE id of 3,000 characters', { uris: [`spiffe://mesh.test/ns/shop/sa/${'a'.repeat(3_000)}`] }),
    foreign('its own name in other letters', { uris: ['SPIFFE://mesh.test/ns/shop/sa/orders'] }),
    foreign('another cluster', { dns: ['west.cluster.mesh.test'] }),
    odd('../../etc'),
    odd('x'.repeat(129)),
    odd(''),
  ]);
  await table.attest({ ...by, proof, key });
});

test('who guesses is made to wait, and then what would hold is not even looked at', async (t) => {
  const table = await RefusalTable.open(t);
  const proof = await table.plane.token();
  for (let guess = 0; guess < 20; guess++) await table.attest({ ...by, proof: `guess ${guess}` }).catch(() => undefined);
  await assert.rejects(table.attest({ ...by, proof }), (error: { code: status }) => error.code === RESOURCE_EXHAUSTED);
  assert.equal((await table.plane.refused())['attestation limited'], 1);
  table.assertNothingLeaked();
});
