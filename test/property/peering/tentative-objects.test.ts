import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { TentativeScene } from '../../support/tentative-scene.ts';

const minute = 60_000;
const name = fc.constantFrom('a', 'b', 'c');
const timeout = fc.option(fc.constantFrom('1s', '2s', '3s'), { nil: undefined });
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('apply' as const), name, timeout }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('try' as const),
      changes: fc.array(fc.tuple(name, timeout), { minLength: 1, maxLength: 3 }),
      withinMs: fc.integer({ min: 1_000, max: 10 * minute }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'confirm' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'rollback' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'cut' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('connect' as const), fresh: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), downMs: fc.integer({ min: 0, max: 6 * minute }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 6 * minute }) }) },
);

test('whatever happens, and however far apart the clocks are: what is in force is what the owner has, or, where it is not heard, what it had until its deadline', async () => {
  const skew = fc.integer({ min: -10 * minute, max: 10 * minute });
  await fc.assert(
    fc.asyncProperty(skew, fc.array(step, { maxLength: 30 }), async (skewMs, steps) => {
      const scene = new TentativeScene(skewMs);
      for (const each of steps) {
        if (each.kind === 'apply') scene.apply(each.name, each.timeout);
        else if (each.kind === 'try') scene.try(each.changes, each.withinMs);
        else if (each.kind === 'confirm') scene.confirm();
        else if (each.kind === 'rollback') scene.rollback();
        else if (each.kind === 'cut') scene.cut();
        else if (each.kind === 'connect') scene.connect(each.fresh);
        else if (each.kind === 'restart') scene.restart(each.downMs);
        else scene.pass(each.ms);
        await turn();
        assert.deepEqual(scene.inForce(), scene.expected(), JSON.stringify(each));
      }
    }),
    { numRuns: 400 },
  );
});

test('what comes back is as old as it was, also where it had been deleted, and where its owner says it again', async () => {
  const scene = new TentativeScene(0);
  scene.apply('a', '1s');
  const age = scene.ageOf('a');
  scene.pass(60 * minute);
  scene.try([['a', undefined]], 5 * minute);
  assert.deepEqual(scene.inForce(), {});
  scene.cut();
  scene.pass(5 * minute + 2_000);
  await turn();
  assert.deepEqual([scene.inForce(), scene.ageOf('a')], [{ a: '1s' }, age]);
  scene.connect(false);
  assert.deepEqual([scene.inForce(), scene.ageOf('a')], [{ a: '1s' }, age]);

  scene.pass(60 * minute);
  scene.try([['a', undefined]], 5 * minute);
  scene.rollback();
  assert.deepEqual([scene.inForce(), scene.ageOf('a')], [{ a: '1s' }, age]);
});

test('what is known to have been overtaken goes back no more, also where the link broke before its deadline was withdrawn', async () => {
  const scene = new TentativeScene(0);
  scene.apply('a', '1s');
  scene.try([['a', '2s']], 5 * minute);
  scene.removes = false;
  scene.confirm();
  scene.apply('a', '3s');
  scene.cut();
  scene.pass(60 * minute);
  await turn();
  assert.deepEqual(scene.inForce(), { a: '3s' });
  scene.restart(60 * minute);
  assert.deepEqual(scene.inForce(), { a: '3s' });
});

test('an owner that is replaced by an older version tells no deadlines: what it says is taken, as it always was', async () => {
  const scene = new TentativeScene(0);
  scene.try([['a', '1s']], 5 * minute);
  assert.deepEqual(scene.inForce(), { a: '1s' });
  scene.peer.heard(0);
  scene.cut();
  scene.pass(60 * minute);
  await turn();
  assert.deepEqual(scene.inForce(), { a: '1s' });
  assert.equal(scene.kept.waiting.size, 0);
});
