import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { parse } from 'yaml';
import { isFirstAdmin } from '../../../control/admin/credentials.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { createCsr, csrToPem, generateKey, parseCertificate, pemBlocks } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { runCli } from '../../support/run-cli.ts';

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-cli-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

const mesh =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: state}\n';

test('control init prints a credential once, stores its hash, and leaves a context for its owner', async (t) => {
  const dir = await folder(t);
  const file = join(dir, 'isthmus.yaml');
  await writeFile(file, mesh);
  const env = { XDG_CONFIG_HOME: dir };
  const made = await runCli(['control', 'init', '-c', file, '-o', 'json'], env);
  assert.equal(made.code, 0, made.err);
  const { credential, stateDir, contextFile } = JSON.parse(made.out) as Record<string, string>;
  assert.equal(stateDir, join(dir, 'state'));
  const store = await openEmbeddedStore({ dir: join(dir, 'state', 'store'), clock: systemClock });
  assert.equal(await isFirstAdmin(store, credential ?? '', systemClock.now()), true);
  const busy = await runCli(['control', 'init', '-c', file, '--replace'], env);
  await store.close();
  assert.deepEqual([busy.code, new RegExp(`in use by process ${process.pid} on`).test(busy.err)], [1, true], busy.err);
  const context = parse(await readFile(contextFile ?? '', 'utf8')) as { contexts: Record<string, unknown> };
  assert.deepEqual(context.contexts['east'], {
    api: '127.0.0.1:15014',
    cluster: 'east',
    caFile: join(dir, 'state', 'api-ca.pem'),
    credential,
  });
  assert.equal((await stat(contextFile ?? '')).mode & 0o777, 0o600);
  assert.equal((await stat(stateDir ?? '')).mode & 0o777, 0o700);
  const again = await runCli(['control', 'init', '-c', file], env);
  assert.deepEqual([again.code, /use --replace/.test(again.err)], [1, true]);
  const replaced = await runCli(['control', 'init', '-c', file, '--replace', '--no-save-context'], env);
  assert.match(replaced.out, /isthmus-admin\.\S{43}/);
  assert.ok(!replaced.out.includes(credential ?? ''));
});

test('control init lists every mistake of the configuration', async (t) => {
  const dir = await folder(t);
  const file = join(dir, 'isthmus.yaml');
  await writeFile(file, mesh.replace('stateDir: state', 'statedir: state, catalog: {agentTtl: 5}'));
  const result = await runCli(['control', 'init', '-c', file]);
  assert.equal(result.code, 2);
  for (const part of [
    `${file}:4: spec.statedir: unknown field; did you mean stateDir?`,
    'spec.stateDir: is required',
    'spec.catalog.agentTtl: must be a duration',
  ]) {
    assert.ok(result.err.includes(part), result.err);
  }
});

test('ca init, sign and status: a constrained intermediate from a request', async (t) => {
  const dir = await folder(t);
  const root = ['--dir', join(dir, 'root'), '--trust-domain', 'mesh.example'];
  assert.equal((await runCli(['ca', 'init', ...root])).code, 0);
  const second = await runCli(['ca', 'init', ...root]);
  assert.deepEqual([second.code, /never overwritten/.test(second.err)], [1, true]);
  const csr = join(dir, 'west.csr');
  await writeFile(csr, csrToPem(createCsr(generateKey())));
  const signed = await runCli(['ca', 'sign', ...root, '--cluster', 'west', '--csr', csr]);
  assert.equal(signed.code, 0, signed.err);
  const [intermediate, rootDer] = pemBlocks(signed.out, 'CERTIFICATE').map((der) => parseCertificate(der));
  assert.ok(intermediate?.ok === true && rootDer?.ok === true);
  assert.deepEqual(intermediate.value.issuer, rootDer.value.subject);
  const status = await runCli(['ca', 'status', ...root, '-o', 'json']);
  assert.equal((JSON.parse(status.out) as { days: number }).days, 3649);
  assert.equal((await runCli(['ca', 'sign', ...root, '--cluster', 'West', '--csr', csr])).code, 2);
  assert.equal((await runCli(['ca', 'sign', ...root, '--cluster', 'west', '--csr', join(dir, 'root', 'root.pem')])).code, 2);
  await writeFile(csr, '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n');
  assert.equal((await runCli(['ca', 'sign', ...root, '--cluster', 'west', '--csr', csr])).code, 4);
});

test('ca init takes trust domains, lifetimes and folders that can be', async (t) => {
  const dir = await folder(t);
  const init = (...flags: string[]) => runCli(['ca', 'init', '--dir', join(dir, 'root'), ...flags]);
  for (const name of ['../x', 'UPPER.test', 'a b', '', 'x'.repeat(256)]) {
    const { code, err } = await init('--trust-domain', name);
    assert.deepEqual([code, /SPIFFE trust domain/.test(err)], [2, true], name);
  }
  for (const lifetime of ['1s', '89d']) {
    const { code, err } = await init('--trust-domain', 'mesh.test', '--lifetime', lifetime);
    assert.deepEqual([code, /at least 90d/.test(err)], [2, true], lifetime);
  }
  await writeFile(join(dir, 'root'), '');
  const inTheWay = await init('--trust-domain', 'mesh.test');
  assert.deepEqual([inTheWay.code, /root is a file/.test(inTheWay.err), /bug/.test(inTheWay.err)], [2, true, false], inTheWay.err);
  await rm(join(dir, 'root'));
  assert.equal((await init('--trust-domain', 'my_mesh-1.test', '--lifetime', '90d')).code, 0);
});

test('vm status shows where it asks unless told', async () => {
  const { out } = await runCli(['vm', 'status', '--help']);
  assert.match(out, /\(default:\s+127\.0\.0\.1:15021\)/);
  assert.doesNotMatch(out, /"address"/);
});

test('every command explains itself with examples and exit codes', async () => {
  const top = await runCli(['--help']);
  assert.equal(top.code, 0);
  const leaves = [
    'control init',
    'ca init',
    'ca sign',
    'ca status',
    'gateway token',
    'vm token',
    'vm list',
    'peer invite',
    'peer join',
    'peer list',
    'peer remove',
    'status',
    'drift',
    'explain',
    'uninstall',
    'version',
  ];
  for (const command of leaves) {
    const { code, out } = await runCli([...command.split(' '), '--help']);
    assert.equal(code, 0);
    assert.ok(out.includes(`Examples:\n  $ isthmus ${command}`), command);
    assert.match(out, /--output <format>/);
    assert.match(out, /Exit codes: 0 ok, 1 failed, 2 usage/);
  }
  const { version } = JSON.parse((await runCli(['version', '-o', 'json'])).out) as { version: string };
  assert.match(version, /^\d+\.\d+\.\d+$/);
});
