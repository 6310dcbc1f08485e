import assert from 'node:assert/strict';
import test from 'node:test';
import type { MigrationStatus } from '../../../core/admin/index.ts';
import type { FakeMigrations } from '../../fakes/migrations.ts';
import { migrateScene, runInProcess } from '../../support/migrate-scene.ts';
import { sampleDraining, sampleMigration } from '../../support/migration-samples.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { until } from '../../support/until.ts';

const by = 'credential:first-admin';
const name = 'shop/orders-to-prod';

/** Gives another status each time it is asked; the last stays. */
function play(migrations: FakeMigrations, ...changes: readonly Partial<MigrationStatus>[]): void {
  let asked = 0;
  migrations.onAsked = () => sampleMigration(changes[Math.min(asked++, changes.length - 1)]);
}

const event = (type: string, message: string, weight: number) => ({
  at: `2030-01-01T00:${20 + weight}:00.000Z`,
  type,
  by: 'isthmus',
  message,
  weight,
});
const rollback = { reason: 'errors: 3.1 % against ≤ 1 %', at: '2030-01-01T00:14:00.000Z', fromWeight: 25 };

test('status: of one, of the only one that runs, and of all; --exit-code tells scripts what has become of it', async (t) => {
  const { run, migrations } = await migrateScene(t);
  const shown = await run('status', name);
  assert.deepEqual([shown.code, shown.err], [0, '']);
  assert.match(shown.out, /Step 3 of 5: 25 % asked, 25.4 % measured/);
  assert.equal((await run('status', 'orders-to-prod', '-n', 'shop')).out, shown.out);
  assert.equal((await run('status')).out, shown.out);
  assert.deepEqual(JSON.parse((await run('status', name, '-o', 'json')).out), sampleMigration());
  const cases = [
    [{ phase: 'stepping' }, 7],
    [{ phase: 'done' }, 0],
    [{ phase: 'rolled-back', rollback }, 6],
    [{ phase: 'aborted' }, 6],
  ] as const;
  for (const [change, code] of cases) {
    migrations.put(sampleMigration(change));
    assert.equal((await run('status', name, '--exit-code')).code, code, change.phase);
    assert.equal((await run('status', name)).code, 0, change.phase);
  }
  migrations.put(sampleMigration());
  migrations.put(sampleMigration({ namespace: 'billing' }));
  assert.match((await run('status')).out, /^billing\/orders-to-prod +orders/m);
  const unsaid = await run('status', '--watch');
  assert.deepEqual([unsaid.code, /say which migration: 2 run/.test(unsaid.err)], [2, true]);
  assert.equal((await run('status', 'shop/nothing')).code, 1);
  assert.equal((await run('status', 'a/b/c')).code, 2);
});

test('status --watch prints a line for each change where nobody looks, and ends with the migration', async (t) => {
  const { run, migrations } = await migrateScene(t);
  const { events, gates } = sampleMigration();
  const breach = { ...gates[0], name: 'errors', verdict: 'breach', value: 0.031, reason: '47 of 1,516 failed' } as (typeof gates)[0];
  const later = { events: [...events, event('breach', 'errors: 3.1 % against ≤ 1 %', 25)], gates: [breach, ...gates.slice(1)] };
  const back = { ...later, events: [...later.events, event('rolled-back', 'all traffic is on east/consul/dc1', 0)] };
  play(migrations, {}, {}, later, later, { ...back, phase: 'rolled-back', rollback });
  const watched = await run('status', name, '--watch', '--interval', '10ms');
  assert.deepEqual(
    [watched.code, watched.out.trimEnd().split('\n')],
    [
      6,
      [
        'shop/orders-to-prod: stepping at 25 %',
        '2030-01-01T00:11:15.000Z    25 %  step-begun: 25 %',
        '2030-01-01T00:45:00.000Z    25 %  breach: errors: 3.1 % against ≤ 1 %',
        'gate errors: pass → breach: 3.1 % against ≤ 1 %; 47 of 1,516 failed',
        '2030-01-01T00:20:00.000Z     0 %  rolled-back: all traffic is on east/consul/dc1',
      ],
    ],
  );
  assert.match(watched.err, /rolled-back at 25 %: errors: 3.1 % against ≤ 1 %/);
  play(migrations, {}, later, { ...later, phase: 'done' });
  const json = await run('status', name, '--watch', '--interval', '10ms', '-o', 'json');
  const lines = json.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as MigrationStatus);
  assert.deepEqual([json.code, lines.map((line) => line.events.length)], [0, [3, 4]]);
});

test('status --watch survives a control plane that is away, and gives up when it is told to', async (t) => {
  const { migrations, port, env } = await migrateScene(t);
  let asked = 0;
  migrations.onAsked = (status) => {
    asked++;
    return status;
  };
  const relay = await TcpRelay.start(port);
  t.after(() => relay.close());
  const watch = (...more: string[]) =>
    runInProcess(['migrate', 'status', name, '--watch', '--interval', '20ms', ...more], { ...env, ISTHMUS_API: `127.0.0.1:${relay.port}` });
  const timeout = await watch('--timeout', '300ms');
  assert.equal(timeout.code, 7, timeout.err);
  const watching = watch();
  asked = 0;
  await until('it watches', () => asked > 0);
  relay.target = 1;
  const before = relay.accepted;
  await until('it asked while nobody was there', () => relay.accepted > before + 2);
  migrations.put(sampleMigration({ phase: 'done' }));
  relay.target = port;
  const watched = await watching;
  assert.equal(watched.code, 0, watched.err);
  assert.match(watched.err, /^isthmus: the control plane at \S+ cannot be reached: .*; asking again\n$/);
});

test('status --watch draws the whole status again on a terminal', async (t) => {
  const { env, migrations } = await migrateScene(t);
  play(migrations, {}, { phase: 'done' });
  const drawn = await runInProcess(['migrate', 'status', name, '--watch', '--interval', '10ms'], env, true);
  const screens = drawn.out.split('\u001b[2J\u001b[H').slice(1);
  assert.deepEqual([drawn.code, screens.length], [0, 2]);
  assert.match(screens[0] ?? '', /Step 3 of 5.*Gates\n.*Next: /s);
  assert.match(screens[1] ?? '', /Phase done/);
});

test('status --watch says that it heard nothing where nobody ever answers', async (t) => {
  const { env } = await migrateScene(t);
  const args = ['migrate', 'status', name, '--watch', '--interval', '10ms', '--timeout', '50ms'];
  const silent = await runInProcess(args, { ...env, ISTHMUS_API: '127.0.0.1:1' });
  assert.deepEqual([silent.code, /nothing was heard of shop\/orders-to-prod/.test(silent.err)], [3, true]);
});

test('start: by name, and from a file that holds one Migration, applied first', async (t) => {
  const { run, migrations, objects, document } = await migrateScene(t);
  const started = await run('start', name);
  assert.deepEqual([started.code, started.out.split('\n')[0]], [0, 'shop/orders-to-prod: stepping at 25 %']);
  const file = await document('migration.yaml', 'Migration');
  assert.equal((await run('start', '-f', file)).code, 0);
  assert.deepEqual(objects.applied, [true, false], 'looked at, then applied');
  objects.action = 'unchanged';
  assert.equal((await run('start', '-f', file)).code, 0);
  assert.deepEqual(objects.applied, [true, false, true], 'nothing is applied that is there');
  assert.deepEqual(
    migrations.commands,
    Array.from({ length: 3 }, () => ({ of: name, command: { type: 'start', by } })),
  );
  const other = await run('start', '-f', await document('rule.yaml', 'DestinationRule'));
  assert.deepEqual([other.code, /DestinationRule shop\/orders-to-prod: one Migration is started/.test(other.err)], [2, true]);
  const two = await run('start', '-f', file, '-f', await document('rule.yaml', 'DestinationRule'));
  assert.deepEqual([two.code, objects.applied.filter((dry) => !dry).length], [2, 1], 'nothing was applied');
  assert.equal((await run('start')).code, 2);
  assert.equal((await run('start', name, '-f', file)).code, 2);
  assert.equal(migrations.commands.length, 3);
});

test('start --wait stays until it ends', async (t) => {
  const { run, migrations } = await migrateScene(t);
  play(
    migrations,
    { phase: 'waiting', events: [] },
    { events: [] },
    { events: [event('done', 'all traffic is on east/kubernetes/prod', 100)], phase: 'done' },
  );
  const done = await run('start', name, '--wait');
  assert.deepEqual([done.code, done.err], [0, '']);
  assert.match(done.out, /stepping at 25 %\n.*done: all traffic is on east\/kubernetes\/prod\n$/);
  play(migrations, {});
  assert.equal((await run('start', name, '--wait', '--timeout', '10ms')).code, 7);
  play(migrations, { run: 2, phase: 'waiting' }, { run: 1, phase: 'rolled-back', rollback }, { run: 2, phase: 'done' });
  assert.equal((await run('start', name, '--wait')).code, 0, 'how the run before ended is not asked for');
});

test('what people tell a migration reaches it with who and why', async (t) => {
  const { run, migrations } = await migrateScene(t);
  for (const args of [
    ['pause', name],
    ['pause', name, '--reason', 'lunch'],
    ['resume', name],
    ['approve', name],
    ['approve', name, '--step', '100%'],
    ['rollback', name, '--reason', 'carts are lost'],
    ['abort', name],
    ['finish', name, '--reason', 'vm-3 is off'],
  ]) {
    const told = await run(...args);
    assert.deepEqual([told.code, told.out.split('\n')[0]], [0, 'shop/orders-to-prod: stepping at 25 %'], told.err);
  }
  assert.deepEqual(
    migrations.commands.map((each) => each.command),
    [
      { type: 'pause', by, reason: 'no reason was given' },
      { type: 'pause', by, reason: 'lunch' },
      { type: 'resume', by },
      { type: 'approve', by, step: 4 },
      { type: 'approve', by, step: 4 },
      { type: 'rollback', by, reason: 'carts are lost' },
      { type: 'abort', by },
      { type: 'finish', by, reason: 'vm-3 is off' },
    ],
  );
  assert.equal((await run('rollback', name)).code, 2, 'going back needs a reason');
  assert.equal((await run('approve', name, '--step', 'next')).code, 2);
  const none = await run('approve', name, '--step', '50');
  assert.deepEqual([none.code, /those that do: 100 %/.test(none.err)], [1, true]);
});

test('list, freeze and unfreeze', async (t) => {
  const { run } = await migrateScene(t, sampleMigration(), { ...sampleDraining(), namespace: 'billing' });
  const frozen = await run('freeze', '--reason', 'sale');
  assert.match(frozen.out, /^All migrations are frozen by credential:first-admin since 2030-\S+: sale\n$/);
  assert.match((await run('list')).out, /2 of at most 3 at once\.\nFROZEN by credential:first-admin since .*: sale\n$/);
  assert.equal((await run('freeze')).code, 2);
  assert.equal((await run('unfreeze')).out, 'Migrations go on.\n');
  const again = await run('unfreeze');
  assert.deepEqual([again.code, /migrations are not frozen/.test(again.err)], [1, true]);
});
