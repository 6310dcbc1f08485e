import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryRoom } from '../../../core/memory-room.ts';
import { keptFree, MemoryGuard } from '../../../gateway/memory-guard.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const mega = 2 ** 20;

function guarded(...rooms: readonly { of: MemoryRoom['of']; limitBytes: number; freeBytes: number }[]) {
  const clock = new ManualClock();
  const said: string[] = [];
  const told: (string | undefined)[] = [];
  const broken = { why: '' };
  const guard = new MemoryGuard({
    clock,
    rooms: () => {
      if (broken.why !== '') throw new Error(broken.why);
      return rooms;
    },
    clean: async () => void said.push('clean'),
    onTrouble: (what, detail) => said.push(`${what}: ${detail}`),
    onOver: () => said.push('over'),
  });
  const connections = { open: 1_000 };
  const engine = {
    overload: (detail: string | undefined) => void told.push(detail),
    relieve: (bytes: number) => void said.push(`relieve ${bytes / mega}`),
    counters: () => ({ ...connections, inUse: new Set<string>(), accepted: 0, ended: new Map<string, number>() }),
  };
  /** One look. */
  const look = async () => {
    clock.advance(100);
    await new Promise(setImmediate);
  };
  return { clock, guard, engine, connections, broken, said, told, look };
}

test('a tenth is kept free, of small limits 16 MB, of large ones 64 MB', () => {
  assert.deepEqual(
    [64, 160, 320, 640, 24_000].map((limit) => keptFree(limit * mega) / mega),
    [16, 16, 32, 64, 64],
  );
});

test('engines hear of the scarcest limit for as long as less than that is left, and until there is a quarter more', async () => {
  const machine = { of: 'machine' as const, limitBytes: 24_000 * mega, freeBytes: 500 * mega };
  const cgroup = { of: 'cgroup' as const, limitBytes: 320 * mega, freeBytes: 33 * mega };
  const { guard, engine, said, told, look } = guarded(machine, cgroup);
  guard.guard(engine);
  await look();
  assert.deepEqual([said, told], [[], []]);
  cgroup.freeBytes = 31 * mega;
  await look();
  cgroup.freeBytes = 39 * mega;
  await look();
  assert.deepEqual(said, ['memory-short: 31 MB are left of the 320 MB of the cgroup, and 32 MB are kept free', 'clean']);
  assert.deepEqual(told, [
    '31 MB are left of the 320 MB of the cgroup, and 32 MB are kept free',
    '39 MB are left of the 320 MB of the cgroup, and 32 MB are kept free',
  ]);
  cgroup.freeBytes = 41 * mega;
  machine.freeBytes = 1 * mega;
  await look();
  assert.match(told[2] ?? '', /^1 MB are left of the 24000 MB of the machine/);
  machine.freeBytes = 500 * mega;
  await look();
  await look();
  assert.deepEqual([said.at(-1), told.length, told[3]], ['over', 4, undefined]);
});

test('with eight times of what is kept free, it looks four times less often', async () => {
  const machine = { of: 'machine' as const, limitBytes: 24_000 * mega, freeBytes: 9_000 * mega };
  const { guard, engine, told, look } = guarded(machine);
  guard.guard(engine);
  await look();
  machine.freeBytes = 1 * mega;
  for (let i = 0; i < 3; i++) await look();
  assert.equal(told.length, 0);
  await look();
  await look();
  assert.equal(told.length, 2);
});

test('below half of what is kept free streams are cut, for what is lacking, and again only when what they kept has been collected', async () => {
  const cgroup = { of: 'cgroup' as const, limitBytes: 320 * mega, freeBytes: 17 * mega };
  const { clock, guard, engine, said, look } = guarded(cgroup);
  guard.guard(engine);
  await look();
  assert.deepEqual(said.splice(0).slice(1), ['clean']);
  cgroup.freeBytes = 12 * mega;
  await look();
  await look();
  assert.deepEqual(said.splice(0), []);
  clock.advance(100);
  await look();
  assert.deepEqual(said.splice(0), ['relieve 20', 'clean']);
  cgroup.freeBytes = 22 * mega;
  for (let i = 0; i < 3; i++) await look();
  assert.deepEqual(said.splice(0), ['clean']);
});

test('the scarcest is the one of which the smallest part of what is kept free is left, whatever that is in bytes', async () => {
  const small = { of: 'cgroup' as const, limitBytes: 64 * mega, freeBytes: 15 * mega };
  const large = { of: 'machine' as const, limitBytes: 24_000 * mega, freeBytes: 20 * mega };
  const { guard, engine, said, look } = guarded(small, large);
  guard.guard(engine);
  await look();
  assert.match(said[0] ?? '', /^memory-short: 20 MB are left of the 24000 MB/);
  assert.equal(said[1], 'relieve 44');
});

test('what is lacking is asked of all engines together', async () => {
  const { guard, engine, said, look } = guarded({ of: 'cgroup', limitBytes: 320 * mega, freeBytes: 12 * mega });
  guard.guard(engine);
  guard.guard({ ...engine });
  await look();
  assert.deepEqual(said.slice(1), ['relieve 10', 'relieve 10', 'clean']);
});

test('where few connections are open they are not what is short: callers are taken', async () => {
  const { guard, engine, connections, said, told, look } = guarded({ of: 'machine', limitBytes: 400 * mega, freeBytes: 30 * mega });
  guard.guard(engine);
  connections.open = 99;
  await look();
  connections.open = 100;
  await look();
  assert.deepEqual([said.length, told[0]], [2, undefined]);
  assert.match(told[1] ?? '', /^30 MB are left of the 400 MB/);
});

test('while nobody can say how much is left, what was found last holds, and the operator hears why, once', async () => {
  const cgroup = { of: 'cgroup' as const, limitBytes: 320 * mega, freeBytes: 31 * mega };
  const { guard, engine, broken, said, told, look } = guarded(cgroup);
  guard.guard(engine);
  await look();
  assert.deepEqual([said.length, told.length], [2, 1]);
  broken.why = 'EMFILE';
  for (let i = 0; i < 3; i++) await look();
  assert.deepEqual([said.slice(2), told.length], [['memory-unknown: EMFILE'], 1]);
  broken.why = '';
  cgroup.freeBytes = 300 * mega;
  await look();
  assert.deepEqual([said.slice(3), told.slice(1)], [['over'], [undefined]]);
});

test('nothing is looked at while nobody is guarded; an engine that left hears nothing more', async () => {
  const { clock, guard, engine, told, look } = guarded({ of: 'machine', limitBytes: 100 * mega, freeBytes: 0 });
  assert.equal(clock.sleeping, 0);
  const leave = guard.guard(engine);
  const stays = guard.guard({ ...engine, overload: () => {} });
  await look();
  leave();
  leave();
  await look();
  assert.equal(told.length, 1);
  stays();
  assert.equal(clock.sleeping, 0);
  guard.guard(engine);
  await look();
  assert.equal(told.length, 2);
});
