import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { AuthorityStatus } from '../../../core/admin/index.ts';
import { readBlocks } from '../../support/docs-blocks.ts';
import { connected, joinedControls } from '../../support/joined-controls.ts';
import type { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

const page = 'docs/rotate-roots.md';

/** Runs the page's commands beside that control plane, with the product on the PATH. */
async function readerOf(control: RealControl): Promise<(commands: string) => Promise<string>> {
  const bin = join(control.dir, 'bin');
  await mkdir(bin);
  const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
  await writeFile(join(bin, 'isthmus'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  await chmod(join(bin, 'isthmus'), 0o755);
  await symlink(control.config, join(control.dir, 'east'));
  await writeFile(join(control.dir, 'backup-passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  const PATH = `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const env = { ...control.cliEnvironment(), PATH };
  return async (commands) => {
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', commands], { cwd: control.dir, env });
    return stdout;
  };
}

const authority = (control: RealControl) => control.get<AuthorityStatus>('/v1/ca');
const roots = async (control: RealControl) =>
  (await authority(control)).certificates.filter((c) => c.kind === 'root').map((c) => c.fingerprint);

async function phase(control: RealControl, wanted: string): Promise<AuthorityStatus> {
  return until(
    `the rotation is ${wanted}`,
    async () => {
      const status = await authority(control);
      assert.equal(status.rotation?.phase, wanted, JSON.stringify(status.rotation?.missing));
      return status;
    },
    60_000,
  );
}

test('a rotation goes over two clusters by itself, and the cluster without the root is signed over peering', async (t) => {
  const { east, west } = await joinedControls(t);
  const before = await roots(east);
  assert.deepEqual(await roots(west), before);
  const refused = await west.cli('ca', 'rotate', 'start');
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /where identity\.rootDir is/);

  const shell = await readerOf(east);
  const [look, start, last] = await readBlocks(page, 'sh');
  assert.match(await shell(look ?? ''), /signs +[0-9a-f]{16} under/);
  assert.match(await shell(start ?? ''), /done: the new root is the only one/);
  assert.match(await shell(last ?? ''), /rotation .*: done/);
  const done = await phase(east, 'done');
  assert.equal(done.rotation?.from, before[0]);
  assert.deepEqual(
    done.rotation?.history.map((h) => h.phase),
    ['prepare', 'distribute', 'sign', 'retire', 'done'],
  );
  const after = await roots(east);
  assert.equal(after.length, 1);
  assert.notDeepEqual(after, before);
  assert.deepEqual(await roots(west), after);
  for (const control of [east, west]) {
    const { certificates, version } = await authority(control);
    assert.equal(version, 3);
    for (const each of certificates) if (each.kind !== 'root') assert.equal(each.root, after[0], `${each.kind} of ${each.cluster}`);
  }
  assert.deepEqual((await readdir(join(east.dir, 'root'))).sort(), [`retired-${before[0]?.slice(0, 16)}.pem`, 'root.pem']);
  assert.match(
    await readFile(join(west.dir, 'state', 'ca', 'roots.pem'), 'utf8'),
    /^(-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n){1}$/,
  );

  // Everything begins anew under the new root alone.
  for (const control of [east, west]) await control.kill();
  for (const control of [east, west]) await control.start();
  for (const control of [east, west]) await connected(control);
  assert.deepEqual(await roots(west), after);
});
