import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { del, put, text, write } from '../../contract/store/harness.ts';

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-store-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

const open = (dir: string) => openEmbeddedStore({ dir, clock: systemClock });

async function filled(t: TestContext): Promise<string> {
  const dir = await folder(t);
  const store = await open(dir);
  for (let i = 0; i < 20; i++) await write(store, put(`k/${i}`, 'value '.repeat(100)));
  await write(store, del('k/3'));
  await store.close();
  return dir;
}

test('one process at a time, and the other is told which', async (t) => {
  const dir = await folder(t);
  const store = await open(dir);
  await assert.rejects(open(dir), {
    code: 'STORE_UNAVAILABLE',
    message: new RegExp(`in use by process ${process.pid} on .*give this one its own stateDir`),
  });
  await write(store, put('a', 'still works'));
  await store.close();
  const again = await open(dir);
  assert.equal(text((await again.get('a'))?.value ?? new Uint8Array()), 'still works');
  await again.close();
});

test('a record changed behind its back is found at the start', async (t) => {
  const dir = await filled(t);
  const db = new ClassicLevel<string, Buffer>(join(dir, 'db'), { valueEncoding: 'buffer' });
  const bytes = await db.get('k/k/7');
  assert.ok(bytes !== undefined);
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  await db.put('k/k/7', bytes);
  await db.close();
  await assert.rejects(open(dir), {
    code: 'STORE_UNAVAILABLE',
    message: /damaged: the record of key k\/7 does not match its checksum.*Nothing was changed.*backup/s,
  });
});

test('a record that went missing, or came back, is found at the start', async (t) => {
  const dir = await filled(t);
  const db = new ClassicLevel<string, Buffer>(join(dir, 'db'), { valueEncoding: 'buffer' });
  const bytes = await db.get('k/k/7');
  await db.del('k/k/7');
  await db.close();
  await assert.rejects(open(dir), { code: 'STORE_UNAVAILABLE', message: /should hold 19 records and holds 18/ });
  const repaired = new ClassicLevel<string, Buffer>(join(dir, 'db'), { valueEncoding: 'buffer' });
  await repaired.put('k/k/7', bytes ?? Buffer.alloc(0));
  await repaired.close();
  await (await open(dir)).close();
});

test('garbage in any file is refused or harmless, never taken for data', async (t) => {
  const good = await filled(t);
  const files = await readdir(join(good, 'db'));
  for (const name of files.filter((f) => f !== 'LOCK' && f !== 'LOG')) {
    for (const spoil of [
      (path: string) => writeFile(path, Buffer.from('garbage '.repeat(50))),
      (path: string) => truncate(path, 0),
      async (path: string) => {
        const bytes = await readFile(path);
        const from = Math.floor(bytes.length / 3);
        bytes.fill(0x5a, from, Math.min(from + 64, bytes.length));
        await writeFile(path, bytes);
      },
      (path: string) => rm(path),
    ]) {
      const dir = await copyOf(t, good);
      await spoil(join(dir, 'db', name));
      try {
        const store = await open(dir);
        const { entries, revision } = await store.list('k/');
        // Harmless: what is there is what was there at some revision, whole. Only the log's end can be missing.
        assert.equal(entries.length, revision === 22 ? 19 : revision - 1, name);
        if (!name.endsWith('.log')) assert.equal(revision, 22, name);
        await store.close();
      } catch (error) {
        const { code, message } = error as { code?: string; message?: string };
        assert.equal(code, 'STORE_UNAVAILABLE', `${name}: ${message}`);
      }
    }
  }
});

async function copyOf(t: TestContext, from: string): Promise<string> {
  const dir = await folder(t);
  await (await open(dir)).close();
  await rm(join(dir, 'db'), { recursive: true });
  await mkdir(join(dir, 'db'));
  for (const name of await readdir(join(from, 'db'))) await copyFile(join(from, 'db', name), join(dir, 'db', name));
  return dir;
}

test('a database folder that vanished is not taken for a new store', async (t) => {
  const dir = await filled(t);
  await rm(join(dir, 'db'), { recursive: true });
  await assert.rejects(open(dir), { code: 'STORE_UNAVAILABLE', message: /damaged/ });
});

test('concurrent transactions share syncs', async (t) => {
  const dir = await folder(t);
  const store = await open(dir);
  t.after(() => store.close());
  const { prototype } = ClassicLevel as unknown as { prototype: { batch(): object } };
  const original = prototype.batch;
  let batches = 0;
  prototype.batch = function (this: object, ...args: []) {
    batches += 1;
    return original.apply(this, args);
  };
  t.after(() => {
    prototype.batch = original;
  });
  await Promise.all(Array.from({ length: 500 }, (_, i) => write(store, put(`k/${i}`))));
  assert.ok(batches <= 5, `500 concurrent writes took ${batches} batches`);
});
