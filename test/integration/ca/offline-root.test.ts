import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { AuthorityStatus } from '../../../core/admin/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { json } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

const openssl = (...args: string[]) => promisify(execFile)('openssl', args);

/** A folder that no control plane is told of, as on a machine that is off but for this. */
async function offlineRoot(dir: string): Promise<readonly string[]> {
  const flags = ['--dir', dir, '--trust-domain', 'mesh.test'];
  const made = await runCli(['ca', 'init', ...flags], { HOME: dir });
  assert.equal(made.code, 0, made.err);
  return flags;
}

test('a cluster without any root online gets its signing certificate by hand: ca request, ca sign, ca install', {
  timeout: 240_000,
}, async (t) => {
  const dir = await temporaryDir(t);
  const root = await offlineRoot(join(dir, 'vault'));
  const foreign = await offlineRoot(join(dir, 'foreign'));
  const grpc = { listen: '127.0.0.1:0', advertise: ['127.0.0.1:15012'] };
  const west = await RealControl.make(join(dir, 'west'), 'west', '', { identity: {}, grpc });
  onEnd(t, () => west.stop());
  await west.start();
  const authority = () => west.get<AuthorityStatus>('/v1/ca');
  const file = (name: string) => join(dir, name);
  const sign = async (csr: string, out: string, flags = root, ...more: string[]) => {
    const signed = await runCli(['ca', 'sign', ...flags, '--cluster', 'west', '--csr', file(csr), ...more], { HOME: dir });
    assert.equal(signed.code, 0, signed.err);
    await writeFile(file(out), signed.out);
  };
  const refused = async (name: string, why: RegExp) => {
    const before = await authority();
    const { code, err } = await west.cli('ca', 'install', file(name));
    assert.notEqual(code, 0, `${name} is taken`);
    assert.match(err, why, name);
    assert.deepEqual((await authority()).certificates, before.certificates, `${name} changes nothing`);
  };

  assert.deepEqual(await authority().then(({ ready, needsSignature }) => [ready, needsSignature]), [false, true]);
  assert.match((await west.cli('ca', 'status')).out, /it cannot issue yet/);
  assert.match((await west.cli('vm', 'token', 'shop/orders', '--port', '80')).err, /no root yet: .*isthmus ca request/);

  const asked = await west.cli('ca', 'request');
  assert.equal(asked.code, 0, asked.err);
  assert.match(asked.err, /isthmus ca sign .*--trust-domain mesh\.test --cluster west/);
  await writeFile(file('west.csr'), asked.out);
  const keyOf = async (name: string) => (await openssl('req', '-in', file(name), '-noout', '-pubkey', '-verify')).stdout;
  await writeFile(file('once-more.csr'), (await west.cli('ca', 'request')).out);
  assert.equal(await keyOf('once-more.csr'), await keyOf('west.csr'), 'it asks for the same key until it has an answer');

  // What another request or cluster says is refused, and the right one still fits after it.
  await openssl(
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=west',
    '-keyout',
    file('other.key'),
    '-out',
    file('other.csr'),
  );
  await sign('other.csr', 'other-key.pem');
  await refused('other-key.pem', /another key/);
  const asNorth = await runCli(['ca', 'sign', ...root, '--cluster', 'north', '--csr', file('west.csr')], { HOME: dir });
  assert.deepEqual([asNorth.code, asNorth.out], [4, '']);
  assert.match(asNorth.err, /asks for west\.cluster\.mesh\.test, not for cluster north/);
  await refused('west.csr', /does not hold a signing certificate and its root/);
  await sign('west.csr', 'west.pem');
  const [leaf = ''] = (await readFile(file('west.pem'), 'utf8')).split(/(?<=-----END CERTIFICATE-----\n)/);
  await writeFile(file('without-root.pem'), leaf);
  await refused('without-root.pem', /whole/);

  const installed = json<AuthorityStatus>(await west.cli('ca', 'install', file('west.pem'), '--output', 'json'));
  assert.deepEqual([installed.ready, installed.needsSignature], [true, false]);
  assert.deepEqual(
    installed.certificates.map(({ kind, online }) => [kind, online]),
    [
      ['root', false],
      ['intermediate', true],
    ],
  );
  json(await west.cli('vm', 'token', 'shop/orders', '--port', '80', '--output', 'json'));
  const [, ca = ''] = (await readFile(file('west.pem'), 'utf8')).split(/(?<=-----END CERTIFICATE-----\n)/);
  await mkdir(file('openssl'));
  await writeFile(file('openssl/root.pem'), ca);
  await writeFile(file('openssl/west.pem'), leaf);
  const { stdout } = await openssl('verify', '-x509_strict', '-CAfile', file('openssl/root.pem'), file('openssl/west.pem'));
  assert.match(stdout, /: OK/);

  // The next one: for a new key, under the same root and no other; it survives a death without a goodbye.
  const again = await west.cli('ca', 'request');
  await writeFile(file('again.csr'), again.out);
  assert.notEqual(await keyOf('again.csr'), await keyOf('west.csr'));
  await sign('again.csr', 'foreign.pem', foreign);
  await refused('foreign.pem', /root of its own/);
  await refused('west.pem', /another key/);
  await sign('again.csr', 'again.pem', root, '--lifetime', '30d');
  await west.kill();
  await west.start();
  json(await west.cli('ca', 'install', file('again.pem'), '--output', 'json'));
  await west.kill();
  await west.start();
  const { ready, certificates, needsSignature } = await authority();
  assert.deepEqual([ready, needsSignature], [true, false]);
  const soon = certificates.filter(({ kind, notAfter }) => kind !== 'root' && Date.parse(notAfter) < Date.now() + 31 * 86_400_000);
  assert.equal(soon.length, 1, JSON.stringify(certificates));

  // Its end comes near, and nobody here can renew it: whoever looks is told, until there is another.
  const ends = /^isthmus_certificate_expiry_timestamp_seconds\{name="west",kind="intermediate",isthmus_cluster="west"\} (\d+)$/m;
  const inUse = async () => (await authority()).certificates.find(({ kind }) => kind === 'intermediate')?.notAfter ?? '';
  const measured = async () => Number(ends.exec(await west.metrics())?.[1]) * 1_000;
  const next = async (name: string, lifetime: string) => {
    await writeFile(file(`${name}.csr`), (await west.cli('ca', 'request')).out);
    await sign(`${name}.csr`, `${name}.pem`, root, '--lifetime', lifetime);
    json(await west.cli('ca', 'install', file(`${name}.pem`), '--output', 'json'));
  };
  const told = async () => (await west.cli('ca', 'status')).out.split('\n').filter((line) => line.includes('ENDS SOON'));
  await next('short', '2m');
  await west.kill();
  await west.start();
  const alarm = /"level":"error".*the signing certificate of this cluster ends soon and no root is online: run isthmus ca request,/;
  await until('the alarm in the log', () => alarm.test(west.log));
  assert.deepEqual([(await told()).length, (await told())[0]?.includes('signs ')], [1, true]);
  assert.equal(await measured(), Date.parse(await inUse()));
  await next('long', '90d');
  assert.deepEqual(await told(), [], 'nothing of the one that it has replaced');
  assert.ok(Date.parse(await inUse()) > Date.now() + 89 * 86_400_000);
  assert.equal(await measured(), Date.parse(await inUse()), 'and of the one that signs now');
});
