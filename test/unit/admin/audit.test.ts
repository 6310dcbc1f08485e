import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import test from 'node:test';
import { isFirstAdmin } from '../../../control/admin/credentials.ts';
import { createFirstAdmin, openAuditLog } from '../../../control/admin/index.ts';
import { MeshError } from '../../../core/errors.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { policy, startAdmin } from '../../support/admin-server.ts';

const token = { role: 'workload', service: 'default/orders', port: 80, ttlMs: 60_000, maxUses: 1, cidrs: [] };

test('every change leaves a line with who, what, diff and result, and no secret', async (t) => {
  const { call, secret, auditLines, auditPath, pki, policies, api } = await startAdmin(t);
  await call('GET', '/v1/status', { bearer: secret });
  const made = (await call('POST', '/v1/tokens', { bearer: secret, body: token })).body as { token: string };
  await call('POST', '/v1/peers/join', { bearer: secret, body: { token: 'isthmus-peer-v1.verysecretverysecret' } });
  await call('DELETE', '/v1/peers/north', { bearer: secret });
  api.failure = new MeshError('STORE_UNAVAILABLE', 'disk full', { retryable: true });
  await call('POST', '/v1/peers/invite', { bearer: secret, body: {} });
  policies.push(policy('viewer', ['*'], 'spiffe://mesh.test/ns/ops/sa/alice'));
  await call('DELETE', '/v1/peers/west', { svid: pki.svid('east', 'ops', 'alice') });
  const lines = await auditLines();
  assert.deepEqual(
    lines.map((l) => [l['who'], l['what'], l['result']]),
    [
      ['credential:first-admin', 'POST /v1/tokens', 'done'],
      ['credential:first-admin', 'POST /v1/peers/join', 'done'],
      ['credential:first-admin', 'DELETE /v1/peers/:cluster', 'NOT_FOUND'],
      ['credential:first-admin', 'POST /v1/peers/invite', 'STORE_UNAVAILABLE'],
      ['spiffe://mesh.test/ns/ops/sa/alice', 'DELETE /v1/peers/:cluster', 'refused'],
    ],
  );
  assert.deepEqual(lines[0]?.['diff'], [{ subject: 'token/00112233aabbccdd', after: { token: '[redacted]', service: 'default/orders' } }]);
  assert.deepEqual(lines[1]?.['request'], { params: {}, body: { token: '[redacted]' } });
  assert.ok(!Number.isNaN(Date.parse(String(lines[0]?.['time']))));
  const text = JSON.stringify(lines);
  for (const hidden of [secret, made.token, 'verysecret']) assert.ok(!text.includes(hidden));
  assert.equal((await stat(auditPath)).mode & 0o777, 0o600);
});

test('nothing changes while the audit log cannot be written', async (t) => {
  const log = await openAuditLog('/dev/full');
  t.after(() => log.close());
  const entry = { time: '', who: '', from: '', what: '', request: {}, diff: [], result: 'done' };
  await log.ready();
  await assert.rejects(log.append(entry), { code: 'STORE_UNAVAILABLE' });
  await assert.rejects(log.ready(), { code: 'STORE_UNAVAILABLE' });
});

test('the first-admin credential: one at a time, hashed, gone after a day', async (t) => {
  const { store, secret } = await startAdmin(t);
  const random = (n: number) => crypto.getRandomValues(new Uint8Array(n));
  const now = systemClock.now();
  assert.equal(await isFirstAdmin(store, secret, now), true);
  assert.equal(await isFirstAdmin(store, secret, now + 24 * 3_600_000 + 60_000), false);
  const { entries } = await store.list('admin/');
  assert.ok(!Buffer.concat(entries.map((e) => e.value)).includes(secret.slice(14)));
  await assert.rejects(createFirstAdmin(store, { clock: systemClock, random, replace: false }), { code: 'CONFLICT' });
  const second = await createFirstAdmin(store, { clock: systemClock, random, replace: true });
  assert.equal(await isFirstAdmin(store, secret, now), false);
  assert.equal(await isFirstAdmin(store, second.secret, now), true);
});

test('the server goes over to a new certificate, and drains', async (t) => {
  const { call, secret, source, pki, server, port } = await startAdmin(t);
  const { connect } = await import('node:tls');
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().serialNumber.toLowerCase());
        socket.destroy();
      });
      socket.on('error', reject);
    });
  assert.equal(await serial(), source.current().serial);
  const next = pki.svid('east', 'isthmus-system', 'control');
  source.set(next);
  assert.equal(await serial(), next.serial);
  assert.equal((await call('GET', '/v1/status', { bearer: secret })).status, 200);
  await server.drain(5000);
  await assert.rejects(call('GET', '/v1/status', { bearer: secret }));
});
