import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { formatJoinToken, type ObtainedIdentity, obtainIdentity, parseJoinToken } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import { verifySvid } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { startControlPlane, type TestControlPlane, type TestControlPlaneOptions, temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

async function control(t: TestContext, options: Partial<TestControlPlaneOptions> = {}): Promise<TestControlPlane> {
  const plane = await startControlPlane({ dir: await temporaryDir(t), ...options });
  t.after(() => plane.stop());
  return plane;
}

async function agent(t: TestContext, options: { dir?: string; token?: string; instance?: string } = {}): Promise<ObtainedIdentity> {
  const stop = new AbortController();
  t.after(() => stop.abort());
  return obtainIdentity({
    dir: options.dir ?? (await temporaryDir(t)),
    instance: options.instance ?? 'vm-1',
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    signal: stop.signal,
    ...(options.token === undefined ? {} : { token: options.token }),
  });
}

const code = (wanted: string) => (error: unknown) => (error as { code?: string }).code === wanted;

test('a machine joins with a token and holds an identity that its mesh accepts', async (t) => {
  const plane = await control(t);
  const dir = await temporaryDir(t);
  const identity = await agent(t, { dir, token: await plane.token() });
  const svid = identity.current();
  assert.equal(formatSpiffeId(svid.spiffeId), 'spiffe://mesh.test/ns/shop/sa/orders');
  assert.equal(svid.cluster, 'east');
  assert.equal(verifySvid(svid.chainDer, plane.authority.bundle(), Date.now()).ok, true);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  assert.equal(
    (await readdir(dir)).some((name) => name.endsWith('.tmp')),
    false,
  );
});

test('the identity is on disk before it is used: a machine that dies right after comes up with it, and asks nobody', async (t) => {
  const plane = await control(t);
  const dir = await temporaryDir(t);
  const { serial } = (await agent(t, { dir, token: await plane.token() })).current();
  await plane.stop();
  assert.equal((await agent(t, { dir })).current().serial, serial);
});

test('a machine that dies before it could persist redeems its single-use token again with the same key', async (t) => {
  const plane = await control(t);
  const dir = await temporaryDir(t);
  const token = await plane.token();
  const first = await agent(t, { dir, token });
  await rm(join(dir, 'svid.json'));
  const second = await agent(t, { dir, token });
  assert.notEqual(second.current().serial, first.current().serial);
  await assert.rejects(agent(t, { token }), code('IDENTITY_INVALID'), 'another key is a replay');
  assert.match(plane.lines.join('\n'), /redeemed by another key already/);
});

test('renewal at half-life changes key and serial, is persisted first, and followers see it', async (t) => {
  const plane = await control(t, { svidTtlMs: 3_000 });
  const dir = await temporaryDir(t);
  const identity = await agent(t, { dir, token: await plane.token() });
  const before = identity.current();
  let told = 0;
  identity.subscribe(() => {
    told += 1;
  });
  await until('a renewal', () => told > 0);
  const after = identity.current();
  assert.notEqual(after.serial, before.serial);
  assert.notDeepEqual(after.key.export({ format: 'jwk' }), before.key.export({ format: 'jwk' }));
  assert.ok((await readFile(join(dir, 'svid.json'), 'utf8')).includes(JSON.stringify(after.chainPem).slice(1, -1)));
  assert.equal(identity.status().state, 'valid');
});

test('after an outage longer than the SVID lives, the machine comes back by itself with its token', async (t) => {
  const dir = await temporaryDir(t);
  const port = await deadPort();
  const plane = await startControlPlane({ dir, svidTtlMs: 1_500, port });
  const identity = await agent(t, { token: await plane.token() });
  await plane.stop();
  await until('the SVID to end', () => identity.status().state === 'expired');
  const again = await startControlPlane({ dir, svidTtlMs: 60_000, port });
  t.after(() => again.stop());
  await until('a new SVID', () => identity.status().state === 'valid');
});

test('expired, forged, revoked and misdirected tokens are refused without saying why, and logged with the reason but no secret', async (t) => {
  const plane = await control(t);
  const good = parseJoinToken(await plane.token());
  assert.ok(good.ok);
  const forged = formatJoinToken({ ...good.value, secret: 'A'.repeat(43) });
  await assert.rejects(agent(t, { token: forged }), (error: Error) => code('IDENTITY_INVALID')(error) && !/secret/.test(error.message));
  await assert.rejects(agent(t, { token: formatJoinToken({ ...good.value, id: '0'.repeat(16) }) }), code('IDENTITY_INVALID'));
  const elsewhere = await plane.token({}, { sources: ['192.0.2.0/24'] });
  await assert.rejects(agent(t, { token: elsewhere }), code('PERMISSION_DENIED'));
  const brief = await plane.token({}, { ttlMs: 1_000 });
  await until('the token to expire', async () => {
    const entry = await plane.store.get(`ca/tokens/${(parseJoinToken(brief) as { value: { id: string } }).value.id}`);
    return JSON.parse(Buffer.from(entry?.value ?? []).toString()).expiresAt < Date.now();
  });
  await assert.rejects(agent(t, { token: brief }), code('IDENTITY_INVALID'));
  const log = plane.lines.join('\n');
  for (const reason of [/secret is wrong/, /does not exist/, /may not be used from 127\.0\.0\.1/, /has expired/]) assert.match(log, reason);
  assert.equal(log.includes(good.value.secret), false);
  await agent(t, { token: formatJoinToken(good.value) });
});

test('a client meets only the control plane of its token: another trust domain at that address gets nothing', async (t) => {
  const plane = await control(t);
  const impostor = await control(t, { trustDomain: 'mesh.test', cluster: 'east' });
  const token = parseJoinToken(await plane.token());
  assert.ok(token.ok);
  const stop = new AbortController();
  const dir = await temporaryDir(t);
  const seen: string[] = [];
  const attempt = obtainIdentity({
    dir,
    token: formatJoinToken({ ...token.value, addresses: [impostor.address] }),
    instance: 'vm-1',
    clock: systemClock,
    random: Math.random,
    log: { ...silentLog, warn: (fields) => void seen.push(String(fields['error'])) },
    signal: stop.signal,
  });
  await until('a refusal', () => seen.length > 0);
  stop.abort();
  await assert.rejects(attempt, code('ABORTED'));
  assert.equal(
    impostor.lines.some((line) => line.includes('attestation')),
    false,
    'the token was never shown',
  );
});

test('a clock that differs by more than 30 s is reported, and does not hinder', async (t) => {
  const ahead = { ...systemClock, now: () => Date.now() + 60_000 };
  const plane = await control(t, { clock: ahead });
  const warnings: string[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  const identity = await obtainIdentity({
    dir: await temporaryDir(t),
    token: await plane.token(),
    instance: 'vm-1',
    clock: systemClock,
    random: Math.random,
    log: { ...silentLog, warn: (_fields, message) => void warnings.push(message) },
    signal: stop.signal,
  });
  assert.ok(Math.abs((identity.status().skewMs ?? 0) - 60_000) < 5_000);
  assert.match(warnings.join(), /clock differs/);
});

test('a machine whose SVID is revoked or forgotten attests again in place', async (t) => {
  const plane = await control(t, { svidTtlMs: 3_000 });
  const identity = await agent(t, { token: await plane.token() });
  const { serial } = identity.current();
  await plane.store.txn({ if: [], then: [{ op: 'delete', key: `ca/issued/${serial}` }] });
  await until('another SVID', () => identity.current().serial !== serial);
  assert.match(plane.lines.join('\n'), /renewal refused .*not issued here/);
  assert.equal(identity.status().state, 'valid');
});
