import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { silentLog } from '../../core/log.ts';
import { systemClock } from '../../core/system-clock.ts';
import { nativeTypeUrls, type SavedResource } from '../../core/xds/index.ts';
import { loadState } from '../../gateway/index.ts';
import { StateFile } from '../../gateway/state/state-file.ts';
import { until } from '../support/until.ts';
import { endInReverse } from './servers/index.ts';

const run = promisify(execFile);
const resource = (name: string, bytes: number): SavedResource => ({
  typeUrl: nativeTypeUrls.cluster,
  name,
  version: '1',
  value: Buffer.alloc(bytes, name),
});

test('a full disk keeps the last good state and says so; with room again the newest is kept', { timeout: 60_000 }, async (t) => {
  const ending = endInReverse(t);
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-full-'));
  ending(() => rmdir(dir));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', dir]);
  ending(() => run('umount', [dir]));
  const path = join(dir, 'state');
  const lines: string[] = [];
  const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const stop = new AbortController();
  let live = [resource('first', 1_000)];
  const file = new StateFile({
    file: path,
    clock: systemClock,
    log: { ...silentLog, info: write, error: write },
    signal: stop.signal,
    snapshot: () => live,
    ageMs: () => 0,
  });
  const kept = async () => (await loadState(path)).resources.map((r) => r.name).join();
  file.changed();
  await until('the first state', async () => (await kept()) === 'first');
  const before = await readFile(path);
  await writeFile(join(dir, 'filler'), Buffer.alloc(480 * 1024));
  live = [...live, resource('second', 60_000)];
  file.changed();
  await until('the failure', () => lines.find((line) => /cannot be kept.*ENOSPC/.test(line)));
  assert.deepEqual(await readFile(path), before);
  assert.deepEqual((await readdir(dir)).sort(), ['filler', 'state'], 'nothing half-written takes the room that is left');
  await rm(join(dir, 'filler'));
  // It is there a moment before that is said: the rename is followed by an fsync.
  await until('the newest state, and that it is said', () => lines.some((line) => line.startsWith('the state can be kept again')));
  assert.equal(await kept(), 'first,second');
  assert.deepEqual(
    lines.map((line) => line.split(' {')[0]?.split(':')[0]),
    ['the state cannot be kept', 'the state can be kept again'],
  );
  stop.abort();
  await file.finish();
});
