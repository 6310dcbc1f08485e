import assert from 'node:assert/strict';
import test from 'node:test';
import { PersistentMap } from '../../../control/catalog/index.ts';

test('a change leaves the version before as it was, and no change is the same object', () => {
  const before = PersistentMap.from<string, number>([
    ['a', 1],
    ['b', 2],
  ]);
  const after = before.with([
    ['a', undefined],
    ['b', 3],
    ['c', 4],
  ]);
  assert.deepEqual([...before].sort(), [
    ['a', 1],
    ['b', 2],
  ]);
  assert.deepEqual([...after].sort(), [
    ['b', 3],
    ['c', 4],
  ]);
  assert.deepEqual([before.size, after.size], [2, 2]);
  assert.equal(
    after.with([
      ['b', 3],
      ['nobody', undefined],
    ]),
    after,
  );
});

test('the difference of two versions names what changed, came and went', () => {
  const entries = Array.from({ length: 2_000 }, (_, i) => [`key-${i}`, { i }] as const);
  const before = PersistentMap.from<string, { i: number }>(entries);
  const after = before.with([
    ['key-7', { i: 70 }],
    ['key-8', undefined],
    ['new', { i: 0 }],
  ]);
  assert.deepEqual([...before.changedKeys(after)].sort(), ['key-7', 'key-8', 'new']);
  assert.deepEqual([...after.changedKeys(before)].sort(), ['key-7', 'key-8', 'new']);
  assert.equal(after.get('key-9'), before.get('key-9'));
});

test('edits of one key in one call apply in order', () => {
  const map = PersistentMap.empty<string, number>().with([
    ['a', 1],
    ['a', undefined],
    ['a', 2],
  ]);
  assert.deepEqual([...map], [['a', 2]]);
  assert.equal(map.size, 1);
});
