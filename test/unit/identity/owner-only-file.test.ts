import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ensureOwnerOnlyDir, nextGeneration, writeOwnerOnly } from '../../../core/identity/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { cannotBeOthers } from '../../support/other-user.ts';

const module = fileURLToPath(new URL('../../../core/identity/index.js', import.meta.url));

test('a file where a folder has to be is said, with what to do', async (t) => {
  const path = join(await temporaryDir(t), 'state');
  await writeOwnerOnly(path, '');
  await assert.rejects(ensureOwnerOnlyDir(path), {
    code: 'CONFIG_INVALID',
    message: /state is a file, and has to be a folder: name another/,
  });
  await assert.rejects(ensureOwnerOnlyDir(join(path, 'ca')), { code: 'CONFIG_INVALID', message: /state.ca lies below a file/ });
  await assert.rejects(ensureOwnerOnlyDir(join(path, 'ca', 'deep')), { code: 'CONFIG_INVALID' });
});

test('a writer that is killed at any moment leaves the old file or the new one, whole', async (t) => {
  const path = join(await temporaryDir(t), 'svid.json');
  await writeOwnerOnly(path, 'a'.repeat(20_000));
  const program = `
    const { writeOwnerOnly } = await import(${JSON.stringify(module)});
    for (let i = 0; ; i++) {
      await writeOwnerOnly(${JSON.stringify(path)}, 'abcdefghij'[i % 10].repeat(20_000));
      if (i === 3) process.stdout.write('writing');
    }`;
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
    const text = await readFile(path, 'utf8');
    assert.equal(text, (text[0] ?? '').repeat(20_000));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  }
});

test('a write that fails leaves nothing behind', async (t) => {
  const dir = await temporaryDir(t);
  await assert.rejects(writeOwnerOnly(join(dir, 'missing', 'file'), 'x'));
  assert.deepEqual(await readdir(dir), []);
});

test('what root writes is its own, or of whoever has the folder where that is asked for', { skip: cannotBeOthers }, async (t) => {
  const dir = await temporaryDir(t);
  await chown(dir, 4_711, 4_712);
  const path = join(dir, 'left');
  const owner = async () => {
    const { uid, gid, mode } = await stat(path);
    return [uid, gid, mode & 0o777];
  };
  await writeOwnerOnly(path, 'x');
  assert.deepEqual(await owner(), [0, 0, 0o600]);
  await writeOwnerOnly(path, 'x', { owner: 'folder' });
  assert.deepEqual(await owner(), [4_711, 4_712, 0o600]);
});

test('generations go up at each start: when the clock went back, and when the folder was lost', async (t) => {
  const dir = await temporaryDir(t);
  assert.deepEqual([await nextGeneration(dir, 5_000), await nextGeneration(dir, 5_500), await nextGeneration(dir, 1_000)], [5, 6, 7]);
  await writeOwnerOnly(join(dir, 'generation'), 'not a number');
  assert.equal(await nextGeneration(dir, 9_000), 9);
  assert.equal(await nextGeneration(await temporaryDir(t), 10_000), 10);
});
