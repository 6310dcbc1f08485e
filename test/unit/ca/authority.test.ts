import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Authority, type AuthorityOptions, caInit, loadRoot, type Root, signIntermediate } from '../../../control/ca/index.ts';
import type { Clock } from '../../../core/clock.ts';
import { type Log, silentLog } from '../../../core/log.ts';
import { clusterSan } from '../../../core/model/index.ts';
import { createCsr, generateKey, keyToPem, spkiOf, verifySvid } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const day = 86_400_000;
const orders = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };

class TestClock implements Clock {
  at = Date.UTC(2026, 10, 21);
  now = () => this.at;
  monotonic = () => this.at;
  sleep = systemClock.sleep;
}

async function open(t: TestContext, more: Partial<AuthorityOptions> & { clock: Clock }): Promise<Authority> {
  const dir = more.dir ?? (await temporaryDir(t));
  return Authority.open({ dir, cluster: 'east', trustDomain: 'mesh.test', intermediateTtlMs: 90 * day, log: silentLog, ...more });
}

async function aRoot(t: TestContext, clock: Clock): Promise<Root> {
  return caInit(await temporaryDir(t), 'mesh.test', clock.now());
}

const code =
  (wanted: string, message = /./) =>
  (error: { code?: string; message?: string }) =>
    error.code === wanted && message.test(error.message ?? '');

test('a root is made once, owner-only, and never overwritten', async (t) => {
  const dir = join(await temporaryDir(t), 'ca');
  const root = await caInit(dir, 'mesh.test', Date.now());
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  assert.equal((await stat(join(dir, 'root.pem'))).mode & 0o777, 0o600);
  await assert.rejects(caInit(dir, 'mesh.test', Date.now()), code('CONFLICT'));
  assert.deepEqual((await loadRoot(dir, 'mesh.test')).certificate.der, root.certificate.der);
  await assert.rejects(loadRoot(await temporaryDir(t), 'mesh.test'), code('NOT_FOUND', /isthmus ca init/));
  await writeFile(
    join(dir, 'root.pem'),
    keyToPem(generateKey()) + (await readFile(join(dir, 'root.pem'), 'utf8')).split('-----END PRIVATE KEY-----\n')[1],
  );
  await assert.rejects(loadRoot(dir, 'mesh.test'), code('IDENTITY_INVALID', /not that of the certificate/));
});

test('with the root online it issues at once, and the same intermediate after a restart', async (t) => {
  const clock = new TestClock();
  const root = await aRoot(t, clock);
  const dir = await temporaryDir(t);
  const authority = await open(t, { clock, root, dir });
  const { chain } = authority.issueSvid(spkiOf(generateKey()), orders, 3_600_000);
  assert.equal(verifySvid(chain, authority.bundle(), clock.now()).ok, true);
  for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  const again = await open(t, { clock, root, dir });
  assert.equal(again.intermediate?.serial, authority.intermediate?.serial);
  await assert.rejects(open(t, { clock, root: await aRoot(t, clock), dir }), code('CONFLICT', /not the one in/));
  await assert.rejects(open(t, { clock, dir, cluster: 'west' }), code('IDENTITY_INVALID', /speaks for east/));
});

test('lifetimes: 1 h to 7 d, seconds under .test alone, never beyond the intermediate', async (t) => {
  const clock = new TestClock();
  const spki = spkiOf(generateKey());
  const testing = await open(t, { clock, root: await aRoot(t, clock) });
  assert.equal(testing.issueSvid(spki, orders, 2_000).leaf.notAfter, clock.now() + 2_000);
  assert.throws(() => testing.issueSvid(spki, orders, 8 * day), code('CONFIG_INVALID'));
  const earnest = { ...orders, trustDomain: 'mesh.example' };
  const root = await caInit(await temporaryDir(t), 'mesh.example', clock.now());
  const authority = await open(t, { clock, root, trustDomain: 'mesh.example' });
  assert.throws(() => authority.issueSvid(spki, earnest, 2_000), code('CONFIG_INVALID', /3600 s/));
  assert.throws(() => authority.issueSvid(spki, orders, 3_600_000), code('PERMISSION_DENIED'));
  const short = await open(t, { clock, root, trustDomain: 'mesh.example', intermediateTtlMs: day });
  assert.equal(short.issueSvid(spki, earnest, 7 * day).leaf.notAfter, short.intermediate?.notAfter);
});

test('rotation at half-life keeps what the old intermediate signed valid', async (t) => {
  const clock = new TestClock();
  const authority = await open(t, { clock, root: await aRoot(t, clock) });
  const old = authority.intermediate?.serial;
  clock.at += 40 * day;
  await authority.maintain();
  assert.equal(authority.intermediate?.serial, old);
  const { chain } = authority.issueSvid(spkiOf(generateKey()), orders, 7 * day);
  clock.at += 6 * day;
  let told = 0;
  authority.subscribe(() => {
    told += 1;
  });
  await authority.maintain();
  assert.notEqual(authority.intermediate?.serial, old);
  assert.equal(told, 1);
  assert.equal(verifySvid(chain.slice(0, 1), authority.bundle(), clock.now()).ok, true, 'the leaf alone: its old issuer is in the bundle');
});

test('a joiner issues nothing until its request is signed, and takes only what fits', async (t) => {
  const clock = new TestClock();
  const root = await aRoot(t, clock);
  const dir = await temporaryDir(t);
  const joiner = await open(t, { clock, dir, cluster: 'west' });
  assert.equal(joiner.ready, false);
  assert.throws(() => joiner.issueSvid(spkiOf(generateKey()), orders, 3_600_000), code('IDENTITY_INVALID', /join a peer/));
  const csr = await joiner.intermediateCsr();
  const roots = [root.certificate.der];
  const sign = (request: Uint8Array, cluster = 'west', signer = root) =>
    signIntermediate(signer, request, cluster, clock.now(), 90 * day).der;
  assert.throws(() => sign(csr, 'east'), code('PERMISSION_DENIED', /west\.cluster/));
  await assert.rejects(
    joiner.installIntermediate(sign(createCsr(generateKey()), 'east'), roots),
    code('IDENTITY_INVALID', /speaks for east/),
  );
  await assert.rejects(joiner.installIntermediate(sign(createCsr(generateKey())), roots), code('IDENTITY_INVALID', /another key/));
  const foreign = await caInit(await temporaryDir(t), 'mesh.test', clock.now());
  await assert.rejects(joiner.installIntermediate(sign(csr, 'west', foreign), roots), code('IDENTITY_INVALID', /does not chain/));
  await assert.rejects(joiner.installIntermediate(root.certificate.der, roots), code('IDENTITY_INVALID'));
  await assert.rejects(joiner.installIntermediate(Buffer.from('half a certificate'), roots), code('IDENTITY_INVALID'));
  assert.equal(joiner.ready, false);
  const restarted = await open(t, { clock, dir, cluster: 'west' });
  await restarted.installIntermediate(sign(csr), roots);
  assert.equal(restarted.ready, true, 'the pending key outlived the restart');
  await assert.rejects(
    restarted.installIntermediate(sign(await restarted.intermediateCsr(), 'west', foreign), [foreign.certificate.der]),
    code('CONFLICT', /root of its own/),
  );
  const { chain } = restarted.issueSvid(spkiOf(generateKey()), orders, 3_600_000);
  const verdict = verifySvid(chain, (await open(t, { clock, root })).bundle(), clock.now(), {
    clusterSan: clusterSan('west', 'mesh.test'),
  });
  assert.equal(verdict.ok, true);
});

test('without an online root it warns at a third of its life, and stops at its end', async (t) => {
  const clock = new TestClock();
  const root = await aRoot(t, clock);
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (_fields, message) => void errors.push(message) };
  const joiner = await open(t, { clock, cluster: 'west', log });
  await joiner.installIntermediate(signIntermediate(root, await joiner.intermediateCsr(), 'west', clock.now(), 90 * day).der, [
    root.certificate.der,
  ]);
  clock.at += 59 * day;
  await joiner.maintain();
  assert.deepEqual(errors, []);
  clock.at += 2 * day;
  await joiner.maintain();
  assert.match(errors.join(), /isthmus ca sign/);
  clock.at += 30 * day;
  assert.equal(joiner.ready, false);
  assert.throws(() => joiner.issueSvid(spkiOf(generateKey()), orders, 3_600_000), code('IDENTITY_INVALID', /expired/));
});

test('a peer is believed for its own name alone', async (t) => {
  const clock = new TestClock();
  const root = await aRoot(t, clock);
  const east = await open(t, { clock, root });
  const sign = (cluster: string) => signIntermediate(root, createCsr(generateKey()), cluster, clock.now(), 90 * day).der;
  assert.deepEqual(east.setPeer('west', { intermediates: [sign('west')] }), []);
  assert.deepEqual(
    east.bundle().intermediates.map((entry) => entry.cluster),
    ['east', 'west'],
  );
  assert.match(east.setPeer('west', { intermediates: [sign('north')] }).join(), /speaks for north/);
  assert.match(east.setPeer('east', { intermediates: [sign('east')] }).join(), /cannot speak for this cluster/);
  assert.deepEqual(
    east.bundle().intermediates.map((entry) => entry.cluster),
    ['east'],
  );
  const before = east.bundle();
  assert.equal(before, east.bundle());
  await east.setDenied(['ff', '01']);
  assert.deepEqual(east.bundle().deniedSerials, ['01', 'ff']);
  assert.notEqual(before, east.bundle());
});
