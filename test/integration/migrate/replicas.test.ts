import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { MigrationState } from '../../../control/migrate/contract.ts';
import type { Txn } from '../../../core/store.ts';
import { livePlaces } from '../../support/migration-machine-scene.ts';
import { MigrationReplica, MigrationWorld, quickSpec } from '../../support/migration-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const id = 'shop/reviews';
const stateKey = `migrations/state/${id}`;
const by = 'ann';

/** All states that are written from now on. */
function record(t: TestContext, world: MigrationWorld): MigrationState[] {
  const states: MigrationState[] = [];
  const stop = new AbortController();
  const done = (async () => {
    for await (const state of world.history(id, stop.signal)) states.push(state);
  })().catch(() => undefined);
  onEnd(t, async () => {
    stop.abort();
    await done;
  });
  return states;
}

/** `ttlMs` of 5,000 where a busy machine is to cost the leader no term. */
async function leading(t: TestContext, ttlMs?: number): Promise<{ world: MigrationWorld; a: MigrationReplica; states: MigrationState[] }> {
  const world = await MigrationWorld.open(t);
  const states = record(t, world);
  const a = MigrationReplica.start(t, world, 'a', ttlMs === undefined ? {} : { ttlMs });
  await until('a leads', () => world.store.get('leaders/migrations'));
  return { world, a, states };
}

async function started(t: TestContext, ttlMs?: number): ReturnType<typeof leading> {
  const found = await leading(t, ttlMs);
  found.world.apply(id, quickSpec());
  return found;
}

function checkWhole(states: readonly MigrationState[]): void {
  const weights = states.map(({ weight }) => weight).filter((weight, i, all) => weight !== all[i - 1]);
  assert.deepEqual(weights, [0, 10, 50, 100]);
  const last = states.at(-1);
  assert.equal(last?.phase, 'done');
  assert.deepEqual(
    last?.steps.map(({ outcome, weight, gates }) => [outcome, weight, gates.map(({ verdict }) => verdict)]),
    [
      ['passed', 10, ['pass']],
      ['passed', 50, ['pass']],
      ['passed', 100, ['pass']],
    ],
  );
  assert.equal(last?.events.filter(({ type }) => type === 'step-begun').length, 3);
  for (const [i, state] of states.entries()) {
    const before = states[i - 1];
    assert.ok(before === undefined || state.step <= before.step + 1, 'a step was skipped');
  }
}

function writesState(txn: Txn): boolean {
  return txn.then.some((op) => op.key === stateKey && op.op === 'put');
}

/** Reserved, started, baseline, three steps, draining, done; leaders that change write once more each. */
for (const when of ['before', 'after'] as const) {
  test(`the leader dies at each of its transitions, right ${when} the store has it: the other goes on from there`, async (t) => {
    await Promise.all(
      Array.from({ length: 7 }, async (_, at) => {
        const { world, a, states } = await leading(t, 5_000);
        let count = 0;
        let killed = false;
        const kill = (txn: Txn) => {
          if (!writesState(txn) || txn.if.length < 2 || count++ !== at || killed) return;
          killed = true;
          a.store.cut = true;
        };
        a.store.onTxn = when === 'before' ? { before: kill } : { after: kill };
        world.apply(id, quickSpec());
        await until('it is reserved', () => states.length > 0 || killed);
        const b = MigrationReplica.start(t, world, 'b');
        await until('it is started', async () => {
          if (states.some(({ run }) => run === 1)) return true;
          await b.migrations.command('shop', 'reviews', { type: 'start', by });
          return true;
        });
        await until('it is done', () => states.at(-1)?.phase === 'done', 60_000);
        checkWhole(states);
        assert.ok(killed, `it died at no transition ${at}`);
        await a.die();
      }),
    );
  });
}

test('a leader that was held up while another took over writes nothing any more', async (t) => {
  const { world, a, states } = await started(t);
  await until('it is reserved', () => states.length > 0);
  await a.migrations.command('shop', 'reviews', { type: 'start', by });
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let holding = false;
  let late: Txn | undefined;
  a.store.onTxn = {
    before: async (txn) => {
      if (holding || !writesState(txn) || states.at(-1)?.weight !== 10) return;
      holding = true;
      late = txn;
      await held;
    },
  };
  await until('a is held in the middle of a transition', () => holding);
  const leader = await world.store.get('leaders/migrations');
  assert.ok(leader !== undefined);
  await world.store.txn({ if: [], then: [{ op: 'delete', key: leader.key }] });
  MigrationReplica.start(t, world, 'b');
  await until('b goes on', () => (states.at(-1)?.weight ?? 0) > 10);
  a.store.onTxn = {};
  release();
  await until('it is done', () => states.at(-1)?.phase === 'done', 60_000);
  checkWhole(states);
  assert.ok(late?.if.some(({ key }) => key === 'leaders/migrations'));
});

test('whoever leads next finds whom the one before knew as callers; with the migration that goes', async (t) => {
  const { world, a, states } = await started(t);
  world.callers = ['gw', 'web'];
  await until('it is reserved', () => states.length > 0);
  const b = MigrationReplica.start(t, world, 'b');
  await a.migrations.command('shop', 'reviews', { type: 'start', by });
  const of = { namespace: 'shop', name: 'reviews' };
  await until('the first two are known to all', () => b.migrations.callers(of).join() === 'gw,web');
  world.callers = ['gw', 'shop', 'web'];
  await until('the third is', () => b.migrations.callers(of).join() === 'gw,shop,web');
  await a.die();
  assert.deepEqual(b.migrations.callers(of), ['gw', 'shop', 'web']);
  await until('it is done', () => states.at(-1)?.phase === 'done', 60_000);
  checkWhole(states);
  world.delete(id);
  world.from = { ...livePlaces, endpoints: 0, healthy: 0 };
  await until('nothing is left of it', async () => (await world.store.list('migrations/')).entries.length === 0, 60_000);
});

test('every write of a leader carries its fence and what it has read', async (t) => {
  const { a, states } = await started(t);
  await until('it is reserved', () => states.length > 0);
  await a.migrations.command('shop', 'reviews', { type: 'start', by });
  await until('it is done', () => states.at(-1)?.phase === 'done', 60_000);
  const mine = a.store.txns.filter(({ then }) => then.some(({ key }) => key.startsWith('migration')));
  const fenced = mine.filter(({ if: compares }) => compares.some(({ key }) => key === 'leaders/migrations'));
  // The start is of whoever was asked, who need not lead.
  assert.equal(mine.length - fenced.length, 1);
  for (const txn of mine.filter(writesState)) assert.ok(txn.if.some(({ key }) => key === stateKey));
});

test('while the store cannot be reached nothing moves; then it goes on where it was', async (t) => {
  const { world, a, states } = await started(t);
  await until('it is reserved', () => states.length > 0);
  await a.migrations.command('shop', 'reviews', { type: 'start', by });
  await until('the first step', () => states.at(-1)?.weight === 10);
  a.store.cut = true;
  const before = states.length;
  await until('its lease has run out', async () => (await world.store.get('leaders/migrations')) === undefined);
  assert.equal(states.length, before);
  assert.deepEqual(
    a.migrations.shifts()?.map(({ document }) => (document['spec'] as { weight: number }).weight),
    [10],
  );
  a.store.cut = false;
  await until('it is done', () => states.at(-1)?.phase === 'done', 60_000);
  checkWhole(states);
});

test('a replica that does not lead takes commands, has the shifts, and shows what the leader measures', async (t) => {
  const { world, a, states } = await started(t, 5_000);
  const b = MigrationReplica.start(t, world, 'b');
  await until('b knows it', async () => (await b.phase(id)) === 'reserved' && b.migrations.shifts()?.length === 1);
  world.apply(id, quickSpec({ steps: [10, 100].map((weight) => ({ weight, bakeMs: 50, approval: weight === 100 })) }));
  await until('what is only reserved follows its object', () => states.at(-1)?.spec.steps.length === 2);
  await b.migrations.command('shop', 'reviews', { type: 'start', by });
  const seen = await until('b shows the first step as it is measured', async () => {
    const status = await b.migrations.status('shop', 'reviews');
    return status.step === 0 && status.to.measured !== null && status.gates[0]?.verdict === 'pass' ? status : undefined;
  });
  assert.equal(seen.leader, 'a');
  assert.ok(Math.abs((seen.to.measured ?? 0) - 10) < 1, String(seen.to.measured));
  assert.deepEqual(
    b.migrations.shifts()?.map(({ document }) => document),
    [
      {
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'TrafficShift',
        metadata: { namespace: 'shop', name: 'reviews' },
        spec: {
          service: 'reviews',
          from: { cluster: 'east', registry: 'consul/dc1' },
          to: { cluster: 'east', registry: 'kubernetes/prod' },
          weight: 10,
          mirrorPercent: 0,
        },
      },
    ],
  );
  await b.migrations.command('shop', 'reviews', { type: 'approve', by, step: 1 });
  await until('it is done', async () => (await b.phase(id)) === 'done');
  const report = await b.migrations.report('shop', 'reviews');
  assert.deepEqual(
    report.steps.map(({ outcome }) => outcome),
    ['passed', 'passed'],
  );
  assert.ok(report.samples.length > 3 && report.samples.some(({ measured, weight }) => weight === 100 && measured === 100));
  assert.equal(report.callers[0]?.source, 'web');
  assert.ok(a.events.some(({ event }) => event.type === 'done') && b.events.some(({ event }) => event.type === 'approved'));
});
