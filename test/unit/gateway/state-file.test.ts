import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import { nativeTypeUrls, type SavedResource } from '../../../core/xds/index.ts';
import { StateFile } from '../../../gateway/state/state-file.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const resource = (name: string): SavedResource => ({ typeUrl: nativeTypeUrls.cluster, name, version: '1', value: Buffer.from(name) });

/** A data plane's file under turned time: `live` is what it holds, `age` how old that is. */
async function fileOf(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-state-'));
  onEnd(t, () => rm(dir, { recursive: true, force: true }));
  const clock = new ManualClock();
  const stop = new AbortController();
  onEnd(t, async () => stop.abort());
  const lines: string[] = [];
  const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const world = { live: [resource('a')], age: 0 };
  const path = join(dir, 'kept', 'state');
  await mkdir(join(dir, 'kept'));
  const open = () =>
    new StateFile({
      file: path,
      clock,
      log: { ...silentLog, info: write, warn: write, error: write },
      signal: stop.signal,
      snapshot: () => world.live,
      ageMs: () => world.age,
    });
  const names = async () => (await open().load()).resources.map((r) => r.name);
  const pass = async (ms: number) => {
    await until('somebody to wait', () => clock.sleeping > 0);
    clock.advance(ms);
  };
  return { dir, path, clock, lines, world, open, names, pass, stop };
}

test('the age of what is kept: as it was when written or last confirmed, and what has passed since, over a restart', async (t) => {
  const { path, clock, world, open, names, pass } = await fileOf(t);
  const file = open();
  world.age = 40_000;
  file.changed();
  await pass(200);
  await until('the state on disk', async () => (await names()).length === 1);
  clock.advance(10_000);
  assert.equal((await open().load()).ageMs, 50_000);
  world.age = 100;
  file.confirmed();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await open().load()).ageMs, 50_000, 'not written at every heartbeat');
  clock.advance(20_000);
  await until('the confirmed age', async () => {
    // Also at the next heartbeat, where the state itself was still being written.
    file.confirmed();
    return (await open().load()).ageMs === 100;
  });
  clock.advance(3_600_000);
  assert.equal((await open().load()).ageMs, 3_600_100);
  clock.advance(-7_200_000);
  assert.equal((await open().load()).ageMs, 100, 'a clock that was set back makes nothing younger than it was');
  await writeFile(`${path}.age`, '{"ageMs":');
  clock.advance(7_200_000);
  assert.equal((await open().load()).ageMs, 40_000 + 3_630_000, 'without it, since it was written');
});

test('a write that fails leaves the file before it, is said once, and is tried until it succeeds', async (t) => {
  const { dir, path, clock, lines, world, open, names, pass } = await fileOf(t);
  const file = open();
  file.changed();
  await pass(200);
  await until('the state on disk', async () => (await names()).join() === 'a');
  const before = await readFile(path);
  await rename(join(dir, 'kept'), join(dir, 'away'));
  world.live = [resource('a'), resource('b')];
  file.changed();
  await pass(200);
  await until('the failure', () => lines.find((line) => line.includes('the state cannot be kept')));
  await pass(5_000);
  await pass(5_000);
  await until('that it waits for the next try', () => clock.sleeping > 0);
  await rename(join(dir, 'away'), join(dir, 'kept'));
  assert.deepEqual(await readFile(path), before);
  await pass(5_000);
  await until('the newer state on disk', async () => (await names()).join() === 'a,b');
  await until('that it is said', () => lines.length === 2);
  assert.deepEqual(
    lines.map((line) => line.split(':')[0]?.split(' {')[0]),
    ['the state cannot be kept', 'the state can be kept again'],
  );
  assert.deepEqual((await readdir(join(dir, 'kept'))).sort(), ['state']);
});

test('what came last is on disk when it ends', async (t) => {
  const { world, open, names, stop } = await fileOf(t);
  const file = open();
  file.changed();
  world.live = [resource('last')];
  stop.abort();
  await file.finish();
  assert.deepEqual(await names(), ['last']);
});
