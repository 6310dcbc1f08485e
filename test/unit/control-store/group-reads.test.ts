import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupReads } from '../../../control/store/group-reads.ts';
import type { Database } from '../../../control/store/level-file.ts';

/** Answers when it is let to, and says what it was asked for at once. */
function heldDatabase() {
  const asked: (readonly string[])[] = [];
  const held: (() => void)[] = [];
  const values = new Map<string, Buffer>();
  const getMany = (keys: readonly string[]) => {
    asked.push(keys);
    const found = keys.map((key) => values.get(key));
    return new Promise<(Buffer | undefined)[]>((resolve) => held.push(() => resolve(found)));
  };
  const release = async () => {
    held.shift()?.();
    // The answer, who asked, and the next read that follows.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { asked, values, release, database: { getMany } as unknown as Database };
}

test('what is asked for together, and what comes while a read runs, is read at once; each gets its own', async () => {
  const { asked, values, release, database } = heldDatabase();
  for (const key of ['a', 'b', 'c', 'd']) values.set(key, Buffer.from(key));
  const reads = new GroupReads(async () => database);
  const first = [reads.get('a'), reads.get('b')];
  await new Promise((resolve) => setImmediate(resolve));
  const second = [reads.get('c'), reads.get('missing'), reads.get('d'), reads.get('c')];
  assert.deepEqual(asked, [['a', 'b']]);
  await release();
  assert.deepEqual(asked[1], ['c', 'missing', 'd', 'c']);
  await release();
  const text = (await Promise.all([...first, ...second])).map((each) => each?.toString());
  assert.deepEqual(text, ['a', 'b', 'c', undefined, 'd', 'c']);
});

test('whoever asks after a write sees it, also while an older read runs', async () => {
  const { values, release, database } = heldDatabase();
  const reads = new GroupReads(async () => database);
  const before = reads.get('a');
  await new Promise((resolve) => setImmediate(resolve));
  values.set('a', Buffer.from('new'));
  const after = reads.get('a');
  await release();
  await release();
  assert.equal(await before, undefined);
  assert.equal((await after)?.toString(), 'new');
});

test('a database that fails, or cannot be had, fails those who asked it, and nobody after them', async () => {
  let broken = true;
  const { values, release, database } = heldDatabase();
  values.set('a', Buffer.from('a'));
  const reads = new GroupReads(async () => {
    if (broken) throw new Error('the disk is full');
    return database;
  });
  const failed = await Promise.allSettled([reads.get('a'), reads.get('b')]);
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  broken = false;
  const again = reads.get('a');
  await new Promise((resolve) => setImmediate(resolve));
  await release();
  assert.equal((await again)?.toString(), 'a');
});

test('a record that cannot be read is the trouble of whoever asked for it', async () => {
  const get = async (key: string) => {
    if (key === 'bad') throw new Error('a block of the table is damaged');
    return Buffer.from(key);
  };
  const getMany = async () => {
    throw new Error('a block of the table is damaged');
  };
  const reads = new GroupReads(async () => ({ get, getMany }) as unknown as Database);
  const settled = await Promise.allSettled(['a', 'bad', 'b'].map((key) => reads.get(key)));
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
});

test('no read holds more than a few hundred keys', async () => {
  const { asked, release, database } = heldDatabase();
  const reads = new GroupReads(async () => database);
  const all = Array.from({ length: 600 }, (_, i) => reads.get(String(i)));
  await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 3; i++) await release();
  await Promise.all(all);
  assert.deepEqual(
    asked.map((keys) => keys.length),
    [256, 256, 88],
  );
});
