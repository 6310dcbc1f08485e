import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationState } from '../../../control/migrate/contract.ts';
import { inForce, isReplaced, isSuperseded, reserve, shiftOf } from '../../../control/migrate/machine/index.ts';
import { drainEndpoint, livePlaces, MigrationScene, migrationSpec, of } from '../../support/migration-machine-scene.ts';

/** Driven to its end, as the `turn`th of its service. */
function done(name: string, createdAt: number, turn: number, spec = migrationSpec()): MigrationState {
  const scene = new MigrationScene(spec);
  scene.state = reserve(spec, { ...of, name }, createdAt);
  scene.turn = turn;
  assert.deepEqual(scene.ask({ type: 'start', by: 'ann' }), []);
  scene.drain = [drainEndpoint('safe')];
  scene.tickUntil('done', ({ phase }) => phase === 'done');
  return scene.state;
}

const { from, to } = migrationSpec();
const wayBack = migrationSpec({ from: to, to: from });
const named = (states: readonly MigrationState[]) => inForce(states).map(({ name }) => name);

test('a way back that is done keeps the traffic, though the migration before it is still there', () => {
  for (const createdAt of [1, 3]) {
    const states = [done('there', 2, 1), done('back', createdAt, 2, wayBack)];
    for (const order of [states, states.toReversed()]) {
      const [shift, ...more] = inForce(order).map(shiftOf);
      assert.deepEqual([shift?.to.registry, shift?.weight, more.length], ['consul/dc1', 100, 0]);
    }
  }
});

test('what is stopped on its way back stays where it was stopped', () => {
  const there = done('there', 1, 1);
  const back: MigrationState = { ...done('back', 2, 2, wayBack), phase: 'aborted', weight: 25 };
  assert.deepEqual(named([there, back]), ['back']);
  assert.deepEqual([isSuperseded(there, [there, back]), isReplaced(there, [there, back])], [true, false]);
  assert.equal(isReplaced(there, [{ ...back, phase: 'done', weight: 100 }]), true);
});

test('what waits or is reserved takes no traffic, however old it says it is', () => {
  const there = done('there', 10, 1);
  const again = reserve(migrationSpec(), { ...of, name: 'again' }, 1);
  assert.deepEqual(named([again, there]), ['there']);
  assert.deepEqual(named([{ ...again, phase: 'waiting', run: 1 }, there]), ['there']);
  const moving: MigrationState = { ...there, name: 'moving', phase: 'stepping', weight: 25, turn: 2 };
  assert.deepEqual(named([{ ...again, phase: 'waiting', run: 1 }, there, moving]), ['moving']);
});

test('when the old side was turned off, one that was applied and forgotten does not send everything there', () => {
  const there: MigrationState = { ...done('there', 1, 1), released: true };
  const again = reserve(migrationSpec(), { ...of, name: 'again' }, 2);
  assert.deepEqual(named([there, again]), ['there']);
  assert.equal(shiftOf(there), undefined);
  assert.deepEqual(named([there, reserve(wayBack, { ...of, name: 'back' }, 2)]), ['back']);
});

test('an old side that has no endpoint at one look is not gone, and one that is gone is not called safe', () => {
  const scene = new MigrationScene();
  scene.ask({ type: 'start', by: 'ann' });
  scene.drain = [drainEndpoint('unknown')];
  scene.tickUntil('draining', ({ phase }) => phase === 'draining');
  scene.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  scene.tick();
  assert.equal(scene.state.phase, 'draining');
  scene.fromPlaces = livePlaces;
  scene.tick();
  assert.equal(scene.state.phase, 'draining');
  scene.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  scene.tick();
  scene.tick();
  // Its registry names it no more, and somebody is still looked for.
  assert.equal(scene.state.phase, 'draining');
  scene.drain = [];
  scene.tick();
  scene.tick();
  assert.equal(scene.state.phase, 'done');
  assert.ok(!scene.types().includes('safe'));
});

test('once all is done, an old side that only starts anew comes back to nothing; one that stays away as long as makes a place safe lets the shift go', () => {
  const scene = new MigrationScene();
  scene.ask({ type: 'start', by: 'ann' });
  scene.drain = [drainEndpoint('safe')];
  scene.tickUntil('done', ({ phase }) => phase === 'done');
  const { bakeMs } = scene.state.spec.drain;
  const looks = Math.ceil(bakeMs / scene.state.spec.intervalMs);
  assert.ok(looks > 2);
  scene.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  for (let n = 0; n < looks - 1; n++) scene.tick();
  scene.fromPlaces = livePlaces;
  scene.tick();
  assert.deepEqual([scene.state.released, shiftOf(scene.state)?.weight], [undefined, 100]);
  scene.fromPlaces = { ...livePlaces, endpoints: 0, healthy: 0 };
  for (let n = 0; n <= looks; n++) scene.tick();
  assert.equal(scene.state.released, true);
});
