import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bindToMachine, forgetIdentity, machineName } from '../../../sidecar-vm/machine-binding.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const id = '0123456789abcdef0123456789abcdef';

test('a machine is told by its id, which is not shown', async (t) => {
  const dir = await temporaryDir(t);
  const [none, first, second] = [join(dir, 'none'), join(dir, 'first'), join(dir, 'second')];
  await writeFile(first, 'uninitialized\n');
  await writeFile(second, `${id}\n`);
  assert.equal(await machineName([none, first]), undefined);
  const name = (await machineName([none, first, second])) ?? '';
  assert.match(name, /^[0-9a-f]{64}$/);
  assert.ok(!name.includes(id));
});

test('a state directory starts on its own machine alone, until its identity is forgotten', async (t) => {
  const dir = await temporaryDir(t);
  await bindToMachine(dir, undefined);
  await bindToMachine(dir, 'a');
  await bindToMachine(dir, 'a');
  assert.equal((await stat(join(dir, 'machine'))).mode & 0o777, 0o600);
  await assert.rejects(bindToMachine(dir, 'b'), { code: 'CONFLICT', message: /is of another machine.*--reset-identity/ });
  await bindToMachine(dir, undefined);
  await mkdir(join(dir, 'identity'));
  await writeFile(join(dir, 'identity', 'svid.json'), '{}');
  await writeFile(join(dir, 'agent.json'), '{}');
  await forgetIdentity(dir);
  await assert.rejects(stat(join(dir, 'identity')), { code: 'ENOENT' });
  assert.equal(await readFile(join(dir, 'agent.json'), 'utf8'), '{}');
  await bindToMachine(dir, 'b');
});
