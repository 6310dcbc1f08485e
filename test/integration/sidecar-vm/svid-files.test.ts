import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { silentLog } from '../../../core/log.ts';
import { noSelectors } from '../../../sidecar-vm/identities/index.ts';
import { keepFiles } from '../../../sidecar-vm/svid-files/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { cannotBeOthers } from '../../support/other-user.ts';
import { until } from '../../support/until.ts';

const run = promisify(execFile);
const password = 'opensesame';

async function scene(t: Parameters<typeof temporaryDir>[0], options: Partial<Parameters<typeof keepFiles>[0]> = {}) {
  const pki = new MeshPki();
  const source = pki.source('east', 'shop', 'orders');
  const dir = options.dir ?? join(await temporaryDir(t), 'svid');
  const identity = { name: 'default', source, selectors: noSelectors, hint: '' };
  const trust = { bundles: () => [pki.bundle], subscribe: () => () => undefined };
  const kept = await keepFiles({ dir, mode: '0600', ...options }, identity, trust, silentLog);
  onEnd(t, () => kept.close());
  return { pki, source, dir, kept };
}

test('PEM that openssl verifies, owner-only, replaced at one moment: whoever goes into ..current finds what belongs together', async (t) => {
  const { pki, source, dir } = await scene(t);
  const names = ['bundle.pem', 'cert.pem', 'identity.pem', 'key.pem'];
  assert.deepEqual((await readdir(dir)).filter((name) => !name.startsWith('..')).sort(), names);
  for (const name of names) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  const file = (name: string) => join(dir, name);
  const verified = await run('openssl', [
    'verify',
    '-x509_strict',
    '-CAfile',
    file('bundle.pem'),
    '-untrusted',
    file('cert.pem'),
    file('cert.pem'),
  ]);
  assert.match(verified.stdout, /: OK/);
  let reading = true;
  const matched = (async () => {
    let count = 0;
    while (reading) {
      const folder = await realpath(join(dir, '..current'));
      const [cert, key] = await Promise.all(['cert.pem', 'key.pem'].map((name) => readFile(join(folder, name), 'utf8').catch(() => '')));
      // It was replaced between the two: the next try finds the newer one.
      if (cert === '' || key === '' || cert === undefined || key === undefined) continue;
      assert.ok(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)));
      count += 1;
    }
    return count;
  })();
  for (let count = 0; count < 20; count++) {
    const next = pki.svid('east', 'shop', 'orders');
    source.set(next);
    await until('the next one', async () =>
      new X509Certificate(await readFile(file('cert.pem'))).raw.equals(next.chainDer[0] ?? Buffer.alloc(0)),
    );
  }
  reading = false;
  assert.ok((await matched) > 20);
  await until('the newest and the one before it', async () => (await readdir(dir)).filter((name) => /^\.\.\d/.test(name)).length === 2);
});

test('PKCS#12 that openssl and, where there is one, Java read: the key with its chain, and the roots as trusted', async (t) => {
  const { dir, source, pki } = await scene(t, { pkcs12: { password, alias: 'orders' } });
  const file = (name: string) => join(dir, name);
  const { stdout } = await run('openssl', ['pkcs12', '-in', file('keystore.p12'), '-passin', `pass:${password}`, '-nodes']);
  assert.equal([...stdout.matchAll(/BEGIN CERTIFICATE/g)].length, 2);
  const key = createPrivateKey(stdout.slice(stdout.indexOf('-----BEGIN PRIVATE KEY')));
  assert.ok(key.equals(source.current().key));
  const trusted = await run('openssl', ['pkcs12', '-in', file('truststore.p12'), '-passin', `pass:${password}`, '-nokeys']);
  assert.ok(new X509Certificate(trusted.stdout.slice(trusted.stdout.indexOf('-----BEGIN'))).raw.equals(pki.root.certificate.der));
  await assert.rejects(
    run('openssl', ['pkcs12', '-in', file('keystore.p12'), '-passin', 'pass:wrong', '-nodes']),
    /mac verify|invalid password/i,
  );
  const keytool = (name: string) => run('keytool', ['-list', '-keystore', file(name), '-storepass', password, '-storetype', 'PKCS12']);
  try {
    await run('keytool', ['-help']);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return t.diagnostic('no keytool here: openssl alone has read the stores');
  }
  assert.match((await keytool('keystore.p12')).stdout, /orders,.*PrivateKeyEntry/);
  assert.match((await keytool('truststore.p12')).stdout, /root-1,.*trustedCertEntry/);
});

test('owner and mode are what was asked for, and the command runs after each renewal that was written', {
  skip: cannotBeOthers,
}, async (t) => {
  const log = join(await temporaryDir(t), 'ran');
  const { pki, source, dir, kept } = await scene(t, {
    uid: 61_001,
    gid: 62_001,
    mode: '0640',
    command: ['/bin/sh', '-c', `echo "$SVID_DIR" >> ${log}`],
  });
  const { mode, uid, gid } = await stat(join(dir, 'key.pem'));
  assert.deepEqual([mode & 0o777, uid, gid], [0o640, 61_001, 62_001]);
  const folder = await stat(dir);
  assert.deepEqual([folder.mode & 0o777, folder.uid, folder.gid], [0o750, 61_001, 62_001]);
  await assert.rejects(stat(log));
  source.set(source.current());
  source.set(pki.svid('east', 'shop', 'orders'));
  // The shell makes the file before the command writes to it.
  assert.equal(await until('the command', async () => (await readFile(log, 'utf8')) || undefined), `${dir}\n`);
  await kept.close();
  source.set(pki.svid('east', 'shop', 'orders'));
  assert.equal(await readFile(log, 'utf8'), `${dir}\n`);
});

test('what is there and is not ours stays; a folder that cannot be written fails the start', async (t) => {
  const base = await temporaryDir(t);
  await mkdir(join(base, 'svid'));
  await writeFile(join(base, 'svid', 'mine.txt'), 'mine');
  const { dir } = await scene(t, { dir: join(base, 'svid') });
  assert.equal(await readFile(join(dir, 'mine.txt'), 'utf8'), 'mine');
  await writeFile(join(base, 'file'), '');
  await assert.rejects(scene(t, { dir: join(base, 'file', 'svid') }), /ENOTDIR/);
  const [key] = (await readdir(dir)).filter((name) => name.includes('key'));
  assert.ok(key !== undefined);
  await mkdir(join(base, 'own'));
  await writeFile(join(base, 'own', key), 'the only copy');
  await assert.rejects(
    scene(t, { dir: join(base, 'own') }),
    new RegExp(`own has ${key}, not written by this agent: move what is there away`),
  );
  assert.equal(await readFile(join(base, 'own', key), 'utf8'), 'the only copy');
  assert.deepEqual(await readdir(join(base, 'own')), [key]);
});
