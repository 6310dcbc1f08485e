import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livePlaces } from '../../support/migration-machine-scene.ts';
import { MigrationReplica, MigrationWorld, quickSpec } from '../../support/migration-plane.ts';
import { until } from '../../support/until.ts';

const by = 'ann';
const id = 'shop/reviews';

test('after a way back nothing moves by itself: not when it is done, not when it is deleted, not by the migration before it', async (t) => {
  const world = await MigrationWorld.open(t);
  const a = MigrationReplica.start(t, world, 'a');
  const start = (name: string) => a.migrations.command('shop', name, { type: 'start', by });
  const phaseIs = (phase: string, of: string) => until(`${of} is ${phase}`, async () => (await a.phase(of)) === phase, 30_000);
  const shift = () => a.migrations.shifts()?.map(({ name, document }) => [name, (document['spec'] as { weight: number }).weight]);
  const rollback = () => a.migrations.command('shop', 'reviews', { type: 'rollback', by, reason: 'a hunch' });

  world.apply(id, quickSpec());
  await start('reviews');
  await phaseIs('done', id);
  const { from, to } = quickSpec();
  const steps = [10, 100].map((weight) => ({ weight, bakeMs: 50, approval: weight === 100 }));
  world.apply('shop/back', quickSpec({ from: to, to: from, steps }));
  await start('back');
  await until('the first step back', () => shift()?.[0]?.[1] === 10);
  await assert.rejects(rollback(), /shop\/back has the service since \(stepping\)/);
  await a.migrations.command('shop', 'back', { type: 'approve', by, step: 1 });
  await phaseIs('done', 'shop/back');
  assert.deepEqual(shift(), [['back', 100]]);
  await until('the one before is over for good', async () => {
    const { next } = await a.migrations.status('shop', 'reviews');
    return /another migration has the service since/.test(next);
  });
  await assert.rejects(rollback(), /shop\/back has the service since \(done\)/);
  world.from = { ...livePlaces, endpoints: 0, healthy: 0 };
  world.delete('shop/back');
  await until('its state is gone', async () => (await world.store.get('migrations/state/shop/back')) === undefined, 30_000);
  assert.deepEqual(shift(), []);
});

test('two that are started in the same moment do not take the service from each other', async (t) => {
  const world = await MigrationWorld.open(t);
  const a = MigrationReplica.start(t, world, 'a');
  const b = MigrationReplica.start(t, world, 'b');
  for (const name of ['one', 'two']) world.apply(`shop/${name}`, quickSpec());
  const asked = [a, b].map((each, i) => each.migrations.command('shop', ['one', 'two'][i] ?? '', { type: 'start', by }));
  const started = (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled').length;
  assert.ok(started > 0);
  const phases = () => Promise.all(['one', 'two'].map((name) => a.phase(`shop/${name}`)));
  await until('the first is done', async () => (await phases()).includes('done'), 30_000);
  const [one, two] = await phases();
  assert.ok([one, two].includes(started === 2 ? 'waiting' : 'reserved'), `${one} and ${two}`);
  const weights = a.migrations.shifts()?.map(({ document }) => (document['spec'] as { weight: number }).weight);
  assert.deepEqual(weights, [100]);
});

test('what a newer version wrote keeps its weight, and is neither driven nor commanded; samples that nobody can read hold nothing up', async (t) => {
  const world = await MigrationWorld.open(t);
  const key = `migrations/state/${id}`;
  world.apply(id, quickSpec({ steps: [10, 100].map((weight) => ({ weight, bakeMs: 50, approval: weight === 100 })) }));
  await world.store.txn({ if: [], then: [{ op: 'put', key: `migration-samples/${id}`, value: Buffer.from('{') }] });
  const a = MigrationReplica.start(t, world, 'a');
  const weight = () => (a.migrations.shifts()?.[0]?.document['spec'] as { weight: number } | undefined)?.weight;
  await a.migrations.command('shop', 'reviews', { type: 'start', by });
  await until('the first step', () => weight() === 10);
  await a.die();
  const kept = JSON.parse(Buffer.from((await world.store.get(key))?.value ?? '').toString('utf8')) as object;
  const newer = Buffer.from(JSON.stringify({ ...kept, version: 2, phase: 'shadowing' }));
  const { revision } = await world.store.txn({ if: [], then: [{ op: 'put', key, value: newer }] });
  const b = MigrationReplica.start(t, world, 'b');
  await until('b leads', async () => (await b.migrations.list()).migrations[0]?.leader === 'b');
  await assert.rejects(b.migrations.command('shop', 'reviews', { type: 'abort', by }), /written by a newer version/);
  assert.deepEqual(
    b.migrations.shifts()?.map(({ document }) => (document['spec'] as { weight: number }).weight),
    [10],
  );
  assert.equal((await world.store.get(key))?.modRevision, revision);
});
