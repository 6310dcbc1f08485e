import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { livePlaces } from '../../support/migration-machine-scene.ts';
import { MigrationReplica, MigrationWorld, quickSpec } from '../../support/migration-plane.ts';
import { until } from '../../support/until.ts';

const id = 'shop/reviews';
const by = 'ann';

async function open(t: TestContext): Promise<{ world: MigrationWorld; a: MigrationReplica }> {
  const world = await MigrationWorld.open(t);
  return { world, a: MigrationReplica.start(t, world, 'a') };
}

const start = (a: MigrationReplica, name = 'reviews') => a.migrations.command('shop', name, { type: 'start', by });
const phaseIs = (a: MigrationReplica, phase: string, of = id) =>
  until(`${of} is ${phase}`, async () => (await a.phase(of)) === phase, 30_000);
const weight = (a: MigrationReplica) => (a.migrations.shifts()?.[0]?.document['spec'] as { weight: number } | undefined)?.weight;

test('what is applied gets nothing before anybody has written of it, and what is not read yet is not none', async (t) => {
  const world = await MigrationWorld.open(t);
  world.apply(id, quickSpec());
  let read = false;
  const blind = MigrationReplica.start(t, world, 'a', {
    objects: { current: () => (read ? world.objects : undefined), subscribe: () => () => undefined },
  });
  await blind.migrations.load();
  assert.equal(blind.migrations.shifts(), undefined);
  read = true;
  assert.deepEqual([blind.migrations.shifts()?.length, weight(blind)], [1, 0]);
});

test('a breach goes back to 0 within the interval, and the report says why', async (t) => {
  const { world, a } = await open(t);
  world.apply(id, quickSpec());
  await start(a);
  await until('the second step', () => weight(a) === 50);
  world.errorsOfNew = 0.3;
  await phaseIs(a, 'rolled-back');
  assert.equal(weight(a), 0);
  const report = await a.migrations.report('shop', 'reviews');
  assert.match(report.status.rollback?.reason ?? '', /gate errors: .* failed, more than 1 %/);
  assert.deepEqual([report.steps.at(-1)?.outcome, report.status.rollback?.fromWeight], ['breach', 50]);
});

test('who dies in between starts again with his report, and measures the step anew', async (t) => {
  const { world, a } = await open(t);
  world.apply(id, quickSpec({ steps: [10, 100].map((each) => ({ weight: each, bakeMs: 60, approval: each === 100 })) }));
  await start(a);
  await until('samples are kept', () => world.store.get(`migration-samples/${id}`));
  await until('the first step', () => weight(a) === 10);
  await a.die();
  const b = MigrationReplica.start(t, world, 'b');
  await until('b drives it', async () =>
    (await b.migrations.status('shop', 'reviews')).events.some(({ type }) => type === 'leader-changed'),
  );
  assert.equal(weight(b), 10);
  await b.migrations.command('shop', 'reviews', { type: 'approve', by, step: 1 });
  await phaseIs(b, 'done');
  const { samples } = await b.migrations.report('shop', 'reviews');
  assert.ok(samples.some((sample) => sample.weight === 0) && samples.some((sample) => sample.weight === 100));
});

test('what is refused says why: preflight, a freeze, another migration of the service, no such one', async (t) => {
  const { world, a } = await open(t);
  const refused = (work: Promise<unknown>, code: string, why: RegExp) =>
    assert.rejects(work, (error: { code?: string; message: string }) => error.code === code && why.test(error.message));
  await refused(start(a), 'NOT_FOUND', /no Migration shop\/reviews/);
  world.apply(id, quickSpec({ steps: [10, 100].map((each) => ({ weight: each, bakeMs: 50, approval: each === 100 })) }));
  world.refusal = 'ports differ';
  await refused(start(a), 'CONFLICT', /cannot start: ports differ/);
  world.refusal = undefined;
  await a.migrations.freeze('holidays', 'bob');
  await refused(start(a), 'CONFLICT', /frozen by bob: holidays/);
  await refused(a.migrations.freeze('again', by), 'CONFLICT', /frozen already, by bob/);
  assert.equal((await a.migrations.list()).freeze?.by, 'bob');
  await a.migrations.unfreeze();
  await refused(a.migrations.unfreeze(), 'CONFLICT', /nothing is frozen/);
  await start(a);
  await refused(start(a), 'CONFLICT', /runs already/);
  world.apply('shop/twin', quickSpec());
  await refused(start(a, 'twin'), 'CONFLICT', /shop\/reviews moves the same service now/);
  await until('the first step', () => weight(a) === 10);
  assert.equal(a.migrations.shifts()?.length, 1);
  await a.migrations.command('shop', 'reviews', { type: 'abort', by });
  await refused(start(a, 'twin'), 'CONFLICT', /holds the traffic of the same service \(aborted\): delete it first/);
});

test('a freeze in the middle holds the weight, and what goes back still does', async (t) => {
  const { world, a } = await open(t);
  world.apply(id, quickSpec({ steps: [10, 100].map((each) => ({ weight: each, bakeMs: 50, approval: each === 100 })) }));
  await start(a);
  await until('the first step', () => weight(a) === 10);
  await a.migrations.freeze('holidays', by);
  await a.migrations.command('shop', 'reviews', { type: 'approve', by, step: 1 });
  const { hold } = await until('it is held', async () => {
    const status = await a.migrations.status('shop', 'reviews');
    return status.hold === null ? undefined : status;
  });
  assert.match(hold?.reason ?? '', /frozen by ann: holidays/);
  world.errorsOfNew = 0.5;
  await phaseIs(a, 'rolled-back');
});

test('no more run at once than may, and those that come first are done first', async (t) => {
  const world = await MigrationWorld.open(t);
  const a = MigrationReplica.start(t, world, 'a', { limit: 1 });
  const steps = [10, 100].map((each) => ({ weight: each, bakeMs: 50, approval: each === 100 }));
  world.apply('shop/first', quickSpec({ service: 'first', steps }));
  world.apply('shop/second', quickSpec({ service: 'second' }));
  world.apply('shop/third', quickSpec({ service: 'third', dependsOn: ['shop/second'] }));
  for (const name of ['first', 'third', 'second']) await start(a, name);
  await phaseIs(a, 'stepping', 'shop/first');
  assert.deepEqual([await a.phase('shop/second'), await a.phase('shop/third')], ['waiting', 'waiting']);
  assert.match((await a.migrations.status('shop', 'second')).next, /1 run already, and no more than 1 may/);
  assert.match((await a.migrations.status('shop', 'third')).next, /shop\/second comes first, and is waiting/);
  await a.migrations.command('shop', 'first', { type: 'approve', by, step: 1 });
  for (const name of ['first', 'second', 'third']) await phaseIs(a, 'done', `shop/${name}`);
  const times = await Promise.all(['second', 'third'].map((name) => a.migrations.report('shop', name)));
  assert.ok(String(times[0]?.status.endedAt) <= String(times[1]?.steps[0]?.begunAt));
});

test('a Migration that is deleted while it runs goes back first; what is only reserved goes at once', async (t) => {
  const { world, a } = await open(t);
  world.apply(
    id,
    quickSpec({
      nativeName: { registry: 'consul/dc1', atWeight: 10 },
      steps: [10, 100].map((each) => ({ weight: each, bakeMs: 50, approval: each === 100 })),
    }),
  );
  world.apply('shop/idle', quickSpec({ service: 'idle' }));
  await start(a);
  await until('the first step', () => world.nativeName === 'switched');
  world.delete(id);
  world.delete('shop/idle');
  await until('both are gone', async () => (await world.store.list('migrations/')).entries.length === 0, 30_000);
  const told = a.events.filter((each) => each.id === id).map(({ event }) => event);
  assert.ok(told.some(({ type, message }) => type === 'rollback-begun' && message.includes('its Migration was deleted')));
  assert.ok(told.some(({ type }) => type === 'rolled-back'));
  assert.equal(world.nativeName, 'original');
  assert.deepEqual(a.migrations.shifts(), []);
});

test('what is done keeps its shift until the old side is empty, also without its Migration', async (t) => {
  const { world, a } = await open(t);
  world.apply(id, quickSpec());
  await start(a);
  await phaseIs(a, 'done');
  world.delete(id);
  assert.equal(weight(a), 100);
  world.from = { ...livePlaces, endpoints: 0, healthy: 0 };
  await until('its shift is gone', () => a.migrations.shifts()?.length === 0);
  await until('its state is gone', async () => (await world.store.list('migrations/state/')).entries.length === 0, 30_000);
});

test('a native name that nobody can reach ends no rollback', async (t) => {
  const { world, a } = await open(t);
  world.apply(
    id,
    quickSpec({
      nativeName: { registry: 'consul/dc1', atWeight: 10 },
      steps: [10, 100].map((each) => ({ weight: each, bakeMs: 50, approval: each === 100 })),
    }),
  );
  await start(a);
  await until('it is switched', () => world.nativeName === 'switched');
  world.nativeNameReachable = false;
  await a.migrations.command('shop', 'reviews', { type: 'rollback', by, reason: 'a hunch' });
  await until('all else is back', async () => {
    const status = await a.migrations.status('shop', 'reviews');
    return status.phase === 'rolling-back' && status.events.some(({ type }) => type === 'rollback-begun');
  });
  world.nativeNameReachable = true;
  await phaseIs(a, 'rolled-back');
  assert.equal(world.nativeName, 'original');
});
