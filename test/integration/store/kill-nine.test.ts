import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { systemClock } from '../../../core/system-clock.ts';

const writer = fileURLToPath(new URL('../../fakes/store-writer.js', import.meta.url));
const lives = Number(process.env['KILL_NINE_LIVES'] ?? 12);

/** One life of a writer, killed some ms after its first acknowledgement; every line that it got out. */
async function live(dir: string, name: string, killAfterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, dir, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const parts: Buffer[] = [];
  const acknowledged = new Promise<void>((resolve) => {
    child.stdout.on('data', (part: Buffer) => {
      parts.push(part);
      if (Buffer.concat(parts).includes('\nw/')) resolve();
    });
  });
  const ended = once(child, 'close');
  await Promise.race([acknowledged, ended]);
  await delay(killAfterMs);
  child.kill('SIGKILL');
  await ended;
  const lines = Buffer.concat(parts).toString('utf8').split('\n');
  // The last one may be cut.
  return lines.slice(0, -1);
}

test('killed at random moments again and again: every acknowledged write is there, whole, and no revision goes back', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-kill-'));
  t.after(() => rm(dir, { recursive: true }));
  const acknowledged = new Map<string, number>();
  let newest = 0;
  for (let n = 0; n < lives; n++) {
    const [opened = '', ...lines] = await live(dir, String(n), Math.random() * 80);
    assert.ok(Number(opened.split(' ')[1]) >= newest, `opened at ${opened}, after revision ${newest} had been acknowledged`);
    for (const line of lines) {
      const [key = '', revision = ''] = line.split(' ');
      acknowledged.set(key, Number(revision));
      newest = Math.max(newest, Number(revision));
    }
  }
  assert.ok(acknowledged.size > lives, 'the writers wrote something');
  const store = await openEmbeddedStore({ dir, clock: systemClock });
  const { entries } = await store.list('');
  await store.close();
  const found = new Map(entries.map((e) => [e.key, e]));
  for (const [key, revision] of acknowledged) assert.equal(found.get(key)?.modRevision, revision, key);
  for (const key of found.keys()) {
    const other = key.startsWith('pair/') ? key.slice('pair/'.length) : `pair/${key}`;
    assert.equal(found.get(key)?.modRevision, found.get(other)?.modRevision, `${key} is there without its pair`);
  }
});
