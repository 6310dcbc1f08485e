import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { readRepositoryFile, repositoryRoot } from '../support/deploy-files.ts';
import { runCli } from '../support/run-cli.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const run = promisify(execFile);
const folder = join(repositoryRoot, 'deploy/systemd');

test('systemd-analyze has nothing to say about the units, and not much about their exposure', async () => {
  const units = (await readdir(folder)).filter((name) => name.endsWith('.service'));
  assert.deepEqual(units.sort(), [
    'isthmus-agent.service',
    'isthmus-capture.service',
    'isthmus-control.service',
    'isthmus-gateway.service',
  ]);
  for (const unit of units) {
    const path = join(folder, unit);
    const verified = await run('systemd-analyze', ['verify', '--man=no', path]);
    assert.equal(`${verified.stdout}${verified.stderr}`.trim(), '');
    const rated = await run('systemd-analyze', ['security', '--offline=yes', '--threshold=50', path]);
    assert.match(rated.stdout, /exposure level/i);
  }
});

test('the account of the units can be made', async () => {
  const root = await makeWorkFolder('sysusers');
  try {
    await mkdir(join(root, 'etc'));
    await writeFile(join(root, 'etc/passwd'), '');
    await writeFile(join(root, 'etc/group'), '');
    await run('systemd-sysusers', [`--root=${root}`, join(folder, 'isthmus.sysusers')]);
    const { stdout } = await run('cat', [join(root, 'etc/passwd')]);
    assert.match(stdout, /^isthmus:x:\d+:\d+:Isthmus:\/nonexistent:\/usr\/sbin\/nologin$/m);
  } finally {
    await removeWorkFolder(root);
  }
});

/** The command line of a unit, with its environment file and specifiers filled in, and its folders under `at`. */
async function commandOf(unit: string, at: string): Promise<string[]> {
  const text = await readRepositoryFile(`deploy/systemd/${unit}.service`);
  const line = /^ExecStart=\/usr\/bin\/env isthmus (.*)$/m.exec(text)?.[1] ?? '';
  const settings = new Map(
    (await readRepositoryFile('deploy/systemd/gateway.env')).split('\n').map((l) => l.split('=') as [string, string]),
  );
  return line
    .replaceAll('%d', join(at, 'credentials'))
    .replace(/\$\{(\w+)\}/g, (_whole, name: string) => settings.get(name) ?? '')
    .replaceAll(/\/(var\/lib|etc)\//g, `${at}/$1/`)
    .split(' ');
}

test('the product understands what each unit starts, and says what is missing on an empty machine', async () => {
  const at = await makeWorkFolder('units');
  try {
    const said: Record<string, RegExp> = {
      'isthmus-control': /isthmus\.yaml: cannot be read/,
      'isthmus-gateway': /gateway\.token/,
      'isthmus-agent': /agent\.json/,
    };
    for (const [unit, missing] of Object.entries(said)) {
      const { code, err } = await runCli(await commandOf(unit, at));
      assert.doesNotMatch(err, /unknown option|unknown command/);
      assert.match(err, missing, unit);
      assert.notEqual(code, 0);
    }
  } finally {
    await removeWorkFolder(at);
  }
});
