import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { MigrationsApi } from '../../../control/admin/index.ts';
import { MigrationEvents } from '../../../control/assemble/migration-events.ts';
import type { Migrations } from '../../../control/migrate/index.ts';
import { createMetrics } from '../../../control/telemetry/index.ts';
import type { MigrationReport } from '../../../core/admin/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { migrateCommands } from '../../support/migrate-scene.ts';
import { drainEndpoint } from '../../support/migration-machine-scene.ts';
import { MigrationReplica, MigrationWorld, quickSpec } from '../../support/migration-plane.ts';
import { samplePlan } from '../../support/migration-samples.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const name = 'shop/reviews';

function apiOf(migrations: Migrations): MigrationsApi {
  return {
    plan: async () => ({ ok: true, value: samplePlan() }),
    list: () => migrations.list(),
    status: (namespace, of) => migrations.status(namespace, of),
    report: (namespace, of) => migrations.report(namespace, of),
    command: async (namespace, of, asked) => ({ value: (await migrations.command(namespace, of, asked)).status, diff: [] }),
    freeze: async (reason, by) => ({ value: { freeze: await migrations.freeze(reason, by) }, diff: [] }),
    unfreeze: async () => {
      await migrations.unfreeze();
      return { value: { freeze: null }, diff: [] };
    },
  };
}

/** Names of events, in the order in which they came. */
async function webhook(t: TestContext): Promise<{ readonly url: string; readonly types: string[] }> {
  const types: string[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    types.push((JSON.parse(Buffer.concat(parts).toString()) as { data: { type: string } }).data.type);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, types };
}

async function scene(t: TestContext, changes: Partial<MigrationSpec> = {}) {
  const world = await MigrationWorld.open(t);
  const { url, types } = await webhook(t);
  const metrics = createMetrics({ cluster: 'east' });
  const events = new MigrationEvents({ clock: systemClock, random: Math.random, log: silentLog, metrics: metrics.migrations });
  const replica = MigrationReplica.start(t, world, 'a', { onEvent: events.onEvent });
  onEnd(t, () => events.close(0));
  world.apply(name, quickSpec({ webhooks: [{ url }], ...changes }));
  const { run, dir } = await migrateCommands(t, apiOf(replica.migrations));
  const shown = async () => {
    await events.record(() => replica.migrations.list());
    return metrics.registry.metrics();
  };
  return { world, replica, types, run, dir, shown };
}

test('a migration that arrives: start --wait says each step and ends with 0, and its report is whole', async (t) => {
  const { replica, run, dir, types, shown } = await scene(t);
  assert.match((await run('status', name)).out, /Phase reserved: 0 % asked, nothing measured yet/);
  const moved = await run('start', name, '--wait');
  assert.deepEqual([moved.code, moved.err], [0, '']);
  for (const weight of [10, 50, 100]) assert.match(moved.out, new RegExp(` ${weight} %  step-begun`));
  assert.match((await run('status', name, '--exit-code')).out, /Phase done: 100 % asked/);
  const folder = join(dir, 'reports');
  assert.equal((await run('report', name, '--write', folder)).code, 0);
  const report = JSON.parse(await readFile(join(folder, 'reviews.json'), 'utf8')) as MigrationReport;
  assert.deepEqual(
    report.steps.map((step) => [step.weight, step.outcome]),
    [10, 50, 100].map((weight) => [weight, 'passed']),
  );
  const markdown = await readFile(join(folder, 'reviews.md'), 'utf8');
  assert.match(markdown, /\*\*Done: all traffic is on the new side\.\*\*/);
  assert.match(markdown, /Every endpoint is safe to switch off/);
  assert.match(await readFile(join(folder, 'reviews.svg'), 'utf8'), />100 %<.*>done</s);
  const happened = report.events.map((event) => event.type);
  await until('the webhook has heard of all of it', () => types.length === happened.length);
  assert.deepEqual(types, happened);
  assert.match(await shown(), /isthmus_migration_phase\{namespace="shop",migration="reviews",phase="done",/);
  assert.equal(await replica.phase(name), 'done');
});

test('a migration that goes back: which gate, which value and which limit are in all that is told of it', async (t) => {
  const { world, run, types, shown } = await scene(t);
  world.errorsOfNew = 0.3;
  const back = await run('start', name, '--wait');
  assert.equal(back.code, 6);
  const why = /gate errors: 30 % of .* failed, more than 1 %/;
  assert.match(back.out, why);
  assert.match(back.err, why);
  assert.match((await run('status', name)).out, /WENT BACK from 10 % at .*gate errors: /);
  const { out } = await run('report', name);
  assert.match(out, /\*\*It went back, from 10 %: gate errors: /);
  assert.match(out, /\| 10 % +\| errors +\| error-rate +\| breach +\| 30 % +\| ≤ 1 %/);
  await until('the webhook has heard of it', () => types.includes('rolled-back'));
  assert.ok(types.indexOf('breach') < types.indexOf('rolled-back'));
  assert.match(await shown(), /isthmus_migration_rollbacks_total\{namespace="shop",migration="reviews",isthmus_cluster="east"\} 1/);
});

test('people steer one that runs: pause, resume, approve, and finish what nobody can see the end of', async (t) => {
  const steps = [10, 100].map((weight) => ({ weight, bakeMs: 60, approval: weight === 100 }));
  const { world, replica, run } = await scene(t, { steps });
  world.drain = [drainEndpoint('unknown')];
  const waiting = run('start', name, '--wait');
  await until('the first step', async () => (await replica.migrations.status('shop', 'reviews')).step === 0);
  assert.match((await run('pause', name, '--reason', 'lunch')).out, /^shop\/reviews: stepping at 10 %, paused\n/);
  assert.match((await run('status', name)).out, /PAUSED by credential:first-admin since .*: lunch/);
  const twice = await run('pause', name);
  assert.deepEqual([twice.code, /it is paused already, by credential:first-admin/.test(twice.err)], [1, true]);
  assert.equal((await run('approve', name, '--step', '100')).code, 0);
  assert.equal((await run('resume', name)).code, 0);
  // What is left on the old side is looked at after the transition, at the next look.
  await until('it drains, and has looked', async () => (await replica.migrations.status('shop', 'reviews')).drain.length > 0);
  assert.match((await run('status', name)).out, /10\.0\.0\.1:80 +10\.0\.0\.1:80 +unknown/);
  assert.equal((await run('finish', name, '--reason', 'it is off')).code, 0);
  assert.equal((await waiting).code, 0);
  assert.match((await run('report', name)).out, /1 of 1 endpoints must not be switched off on what is known/);
});
