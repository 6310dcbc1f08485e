import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { MigrationReport, MigrationStatus } from '../../core/admin/index.ts';
import { until } from '../support/until.ts';
import { type Killed, timesAway } from './migration/away.ts';
import { type Bed, startBed } from './migration/bed.ts';
import { type Loads, startLoads } from './migration/callers.ts';
import { eventsOf, Run } from './migration/follow.ts';
import { assertNoneFailed, assertWaitedFor, assertWeights } from './migration/judge.ts';
import type { ControlHost } from './scenario/isthmus-process.ts';
import { endInReverse, type Host } from './servers/index.ts';

const weights = [5, 25, 50, 100];
/** At 50 % it must be there when the kill comes, and not only have been: that step is long. */
const steps = '[5, 25, {weight: 50, bake: 20s}, 100]';

describe('the control plane is killed while a service moves', { timeout: 420_000 }, () => {
  test('at every boundary between steps, and in the middle of one: it goes on from where it was', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending, { callers: ['isthmus', 'plain'] });
    const requests = await startLoads(bed.callers, 'orders', 40);
    ending(() => requests.kill());
    const run = await Run.start(bed.control, { steps });
    // At or beyond: a look that comes late misses no boundary, and kills all the same.
    const boundaries: readonly (readonly [at: number | string, reached: (status: MigrationStatus) => boolean])[] = [
      ['baseline', ({ phase }) => phase !== 'reserved' && phase !== 'waiting'],
      ...weights.map((weight) => [weight, ({ to }: MigrationStatus) => to.weight >= weight] as const),
      ['draining', ({ phase }) => phase === 'draining' || phase === 'done'],
    ];
    const kills: Killed[] = [];
    // Each kill ends a leader that has begun: one that is back, and looked at nothing, would be killed in vain.
    const led = (status: MigrationStatus) => eventsOf(status, 'leader-changed').length >= kills.length;
    for (const [at, reached] of boundaries) {
      const { phase } = await run.until(`boundary ${at}`, (status) => reached(status) && led(status), 90_000);
      if (at === 50) {
        kills.push(await killBehindItsBack(run, bed));
        continue;
      }
      kills.push(await killAndStart(bed.control));
      if (at !== 25) continue;
      await run.until('a leader that measures', (status) => led(status) && status.gates.some(({ samples }) => samples > 0));
      assert.equal(phase, 'stepping');
      kills.push(await killAndStart(bed.control));
    }
    await run.until('the end', ({ phase }) => phase === 'done', 90_000);
    await assertWhole(t, run, requests, bed, { leaders: 6, kills });
  });

  test('the leader of two over etcd: the other goes on', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending, { callers: ['isthmus', 'plain'], replicas: 2 });
    const requests = await startLoads(bed.callers, 'orders', 40);
    ending(() => requests.kill());
    const first = await Run.start(bed.control);
    await first.weight(25);
    const leader = await leaderOf(bed);
    const other = bed.controls.find((each) => each !== leader);
    assert.ok(other !== undefined);
    const kills = [await kill(leader)];
    const run = first.by(other);
    await run.weight(50);
    await leader.process.restart();
    await run.weight(100);
    kills.push(await kill(other));
    const again = run.by(leader);
    await again.until('the end', ({ phase }) => phase === 'done', 120_000);
    await assertWhole(t, again, requests, bed, { leaders: 2, kills });
  });
});

/** In the middle of whatever it does; it is back when it answers. */
async function killAndStart(control: ControlHost): Promise<Killed> {
  await delay(500 * Math.random());
  const killed = await kill(control);
  await control.process.restart();
  return killed;
}

/** One caller's agent cannot come back for a while: it goes on by the weight before, and nothing passes on what the others measured. */
async function killBehindItsBack(run: Run, { control, host }: Bed): Promise<Killed> {
  const caller = host('dc', 'isthmus');
  const route = ['unreachable', `${control.host.address}/32`];
  await inNetwork(caller, 'route', 'add', ...route);
  const killed = await killAndStart(control);
  const missed = /the step's time is over: gate .* this weight could not be told to \S*#isthmus/;
  const waits = await run.until('it to be missed at the end of the step', ({ events }) =>
    events.some(({ type, weight, message }) => type === 'gate-waits' && weight === 50 && missed.test(message)),
  );
  assert.equal(waits.to.weight, 50);
  await inNetwork(caller, 'route', 'del', ...route);
  return killed;
}

async function inNetwork({ netns }: Host, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)('ip', ['-n', netns, ...args]);
}

async function kill(control: ControlHost): Promise<Killed> {
  const at = Date.now();
  await control.process.kill9();
  return { control, at };
}

async function leaderOf({ controls }: Bed): Promise<ControlHost> {
  return until('one that leads', async () => {
    for (const control of controls) {
      const log = await readFile(control.process.logFile, 'utf8');
      const last = log.split('\n').findLast((line) => line.includes('"name":"migrations"'));
      if (last?.includes('this replica leads') === true) return control;
    }
    return undefined;
  });
}

/** Each step once, in order, with all of its gates passed by enough samples; callers saw nothing but the weights. */
async function assertWhole(
  t: TestContext,
  run: Run,
  requests: Loads,
  { pods, controls }: Bed,
  { leaders, kills }: { readonly leaders: number; readonly kills: readonly Killed[] },
): Promise<void> {
  const report = await run.report();
  const loads = await requests.finish();
  const away = await timesAway(controls, kills, loads.keys());
  for (const [kind, times] of away)
    for (const { from, until } of times) t.diagnostic(`the proxy of ${kind} was away for ${((until - from) / 1_000).toFixed(1)} s`);
  assert.deepEqual(
    boundariesOf(report),
    weights.flatMap((weight) => [`step-begun ${weight}`, `step-passed ${weight}`]),
  );
  assert.ok(eventsOf(report, 'leader-changed').length >= leaders, JSON.stringify(report.events));
  for (const { weight, gates } of report.steps) {
    const judged = gates.map(({ verdict, samples, needed }) => verdict === 'pass' && samples >= needed);
    assert.ok(judged.length === 2 && judged.every(Boolean), `at ${weight} %: ${JSON.stringify(gates)}`);
  }
  const seen = run.seen.map(({ to }) => to.weight);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
    'no weight was moved twice',
  );
  assertWaitedFor(report, away);
  for (const line of assertWeights(loads, report, pods, { away, inForce: run.inForce })) t.diagnostic(line);
  assertNoneFailed(loads);
}

function boundariesOf({ events }: MigrationReport): string[] {
  return events.filter(({ type }) => type === 'step-begun' || type === 'step-passed').map(({ type, weight }) => `${type} ${weight}`);
}
