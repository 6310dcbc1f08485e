import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type CallerFacts,
  identityOf,
  noSelectors,
  overlaps,
  programFile,
  type Selectors,
  ticksNow,
} from '../../../sidecar-vm/identities/index.ts';

const on = (name: string, selectors: Partial<Selectors>) => ({ name, selectors: { ...noSelectors, ...selectors } });
const facts = (uid: number, more: Partial<CallerFacts> = {}): CallerFacts => ({ uid, gids: [uid], ...more });

test('the most particular identity is the one, and who has none gets none', () => {
  const all = [
    on('everybody', {}),
    on('users', { gid: [100] }),
    on('app', { uid: [1001, 1002] }),
    on('batch', { uid: [1001], path: ['/usr/bin/batch'] }),
    on('exact', { uid: [1001], path: ['/usr/bin/batch'], sha256: ['aa'] }),
  ];
  const of = (...[uid, more]: Parameters<typeof facts>) => identityOf(all, facts(uid, more))?.name;
  assert.equal(of(5), 'everybody');
  assert.equal(of(5, { gids: [5, 100] }), 'users');
  assert.equal(of(1002, { gids: [100] }), 'app');
  assert.equal(of(1001, { path: '/usr/bin/batch' }), 'batch');
  assert.equal(of(1001, { path: '/usr/bin/batch', sha256: 'aa' }), 'exact');
  assert.equal(of(1001, { path: '/usr/bin/batch (deleted)' }), 'app');
  // What is not known holds for nobody.
  assert.equal(identityOf([on('file', { path: ['/x'] })], facts(0)), undefined);
  assert.equal(identityOf([on('digest', { sha256: ['aa'] })], facts(0, { path: '/x' })), undefined);
});

test('the order of identities decides nothing, and a program in the groups of two has neither', () => {
  const values = fc.subarray([1, 2, 3]);
  const paths = fc.subarray(['/a', '/b']);
  const selectors = fc.record({ uid: values, gid: values, path: paths, sha256: fc.subarray(['aa', 'bb']) });
  const caller = fc.record({
    uid: fc.constantFrom(1, 2, 3),
    gids: values,
    path: fc.constantFrom('/a', '/b'),
    sha256: fc.constantFrom('aa', 'bb'),
  });
  fc.assert(
    fc.property(fc.array(selectors, { maxLength: 5 }), caller, (all, who) => {
      const named = all.map((each, at) => on(`${at}`, each));
      assert.equal(identityOf(named, who)?.name, identityOf([...named].reverse(), who)?.name);
      const single = { ...who, gids: who.gids.slice(0, 1) };
      const everybody = [...named, on('everybody', {})];
      if (overlaps(everybody).length === 0) assert.ok(identityOf(everybody, single) !== undefined);
    }),
  );
  assert.equal(identityOf([on('a', { gid: [1] }), on('b', { gid: [2] })], facts(5, { gids: [1, 2] })), undefined);
  assert.deepEqual(overlaps([on('a', { uid: [1, 2] }), on('b', { uid: [2, 3] }), on('c', { gid: [2] })]), [['a', 'b']]);
});

test('a program is known by its file, one that began later than it connected is another', async (t) => {
  const child = spawn('sleep', ['60']);
  t.after(() => child.kill('SIGKILL'));
  const { pid } = child;
  assert.ok(pid !== undefined);
  await new Promise((resolve) => child.once('spawn', resolve));
  const path = await readlink(`/proc/${pid}/exe`);
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  assert.deepEqual(await programFile(pid, await ticksNow(), true), { path, sha256 });
  assert.deepEqual(await programFile(pid, await ticksNow(), false), { path });
  assert.equal(await programFile(pid, 1, false), undefined);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  assert.equal(await programFile(pid, await ticksNow(), false), undefined);
});
