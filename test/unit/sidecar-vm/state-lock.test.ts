import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { holderOf, lockStateDir } from '../../../sidecar-vm/state-lock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const linux = process.platform === 'linux' ? false : 'processes are told apart by /proc';

const statOf = async (pid: number) => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [state = '', ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state, startTime: rest[18] ?? '' };
};

test('an agent that was killed holds nothing, also where nobody has collected it yet', { skip: linux }, async (t) => {
  const dir = await temporaryDir(t);
  // A child whose parent became a program that waits for none.
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onEnd(t, () => void parent.kill('SIGKILL'));
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(said.toString());
  onEnd(t, () => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone, as it should be.
    }
  });
  const { startTime } = await statOf(pid);
  await writeFile(join(dir, 'agent.lock'), JSON.stringify({ pid, startTime }));
  assert.equal(await holderOf(dir), pid);
  await assert.rejects(lockStateDir(dir), { code: 'CONFLICT' });
  // Until then it is a shell, which does wait for its children.
  await until('its parent to be a program that waits for none', async () => {
    const name = await readFile(`/proc/${parent.pid}/comm`, 'utf8');
    return name.trim() === 'sleep';
  });
  process.kill(pid, 'SIGKILL');
  await until('a zombie', async () => (await statOf(pid)).state === 'Z');
  assert.equal(await holderOf(dir), undefined);
  const lock = await lockStateDir(dir);
  assert.equal(await holderOf(dir), process.pid);
  await lock.release();
  assert.equal(await holderOf(dir), undefined);
});
