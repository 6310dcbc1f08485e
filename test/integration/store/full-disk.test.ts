import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { systemClock } from '../../../core/system-clock.ts';

const child = fileURLToPath(new URL('../../fakes/store-on-small-disk.js', import.meta.url));

test('a full disk is STORE_UNAVAILABLE, reads go on, and writes return when there is space', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-full-'));
  // A file larger than 512 KiB cannot be written: the limit on size stands for the limit of a disk.
  const running = spawn('bash', ['--norc', '-c', 'ulimit -S -f 512 && exec "$0" "$@"', process.execPath, child, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => {
    running.kill('SIGKILL');
    return rm(dir, { recursive: true });
  });
  const lines = createInterface(running.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse(String((await lines.next()).value)) as Record<string, unknown>;
  const full = await next();
  assert.equal(full['stage'], 'full');
  assert.deepEqual([full['code'], full['retryable']], ['STORE_UNAVAILABLE', true]);
  assert.match(String(full['message']), /free space on its disk/);
  assert.ok(Number(full['acknowledged']) > 10);
  assert.equal(full['readable'], full['acknowledged'], 'what was acknowledged can be read, and nothing else');
  execFileSync('prlimit', ['--pid', String(running.pid), '--fsize=unlimited:unlimited']);
  const recovered = await next();
  assert.equal(recovered['stage'], 'recovered');
  assert.ok(Number(recovered['readable']) >= Number(full['acknowledged']) + 1);
  const again = await openAfterExit(dir);
  const { entries } = await again.list('k/');
  await again.close();
  assert.equal(entries.length, recovered['readable']);
});

async function openAfterExit(dir: string) {
  const { until } = await import('../../support/until.ts');
  return until('the other process has let go', () => openEmbeddedStore({ dir, clock: systemClock }));
}
