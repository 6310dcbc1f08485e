import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Bed, part, startBed } from './migration/bed.ts';
import { startLoads } from './migration/callers.ts';
import { eventsOf, Run, describe as tell } from './migration/follow.ts';
import { assertExplained, assertLeft, assertNoneFailed } from './migration/judge.ts';
import { type AppVersion, goodVersion } from './migration/runtimes.ts';
import { endInReverse } from './servers/index.ts';

type Ending = (end: () => Promise<unknown>) => void;

describe('a new side that is worse is rolled back', { timeout: 420_000 }, () => {
  test('it fails 3 % of requests, it is four times slower, it dies at 50 %', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending);
    await part(t, bed, '3 % fail', (s) => failing(s, ending, bed));
    await part(t, bed, 'four times slower', (s) => slow(ending, bed, s));
    await part(t, bed, 'dead at 50 %', (s) => dying(s, ending, bed));
  });
});

/** A run of it with that version on the new side, to its end. */
async function runWith(ending: Ending, bed: Bed, version: AppVersion, at: (run: Run) => Promise<void> = async () => {}) {
  for (const pod of bed.pods) await pod.replace(version);
  const requests = await startLoads(bed.callers, 'orders', 40);
  ending(() => requests.kill());
  const run = await Run.start(bed.control);
  await at(run);
  const status = await run.phase('rolled-back', 180_000);
  // Of 40 a second: enough to see where they come from.
  await requests.more(200);
  const loads = await requests.finish();
  const report = await run.report();
  assertLeft(loads, bed.pods, Date.parse(status.endedAt ?? ''));
  assert.equal(status.to.weight, 0);
  assert.equal(
    eventsOf(report, 'rollback-begun').filter(({ at: when }) => Date.parse(when) >= Date.parse(status.startedAt ?? '')).length,
    1,
  );
  assert.ok(status.rollback !== null, tell(status));
  return { status, loads, report, reason: status.rollback.reason };
}

async function failing(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  const { loads, report, reason, status } = await runWith(ending, bed, { ...goodVersion, fails: 3 });
  t.diagnostic(`${reason}; from ${status.rollback?.fromWeight} %`);
  assert.match(reason, /errors.*\d.* %.*1 %/, 'the value, and the limit');
  t.diagnostic(assertExplained(loads, report, 0.03));
}

async function slow(ending: Ending, bed: Bed, t: TestContext): Promise<void> {
  const { loads, reason, status } = await runWith(ending, bed, { ...goodVersion, delayMs: 4 * goodVersion.delayMs });
  t.diagnostic(`${reason}; from ${status.rollback?.fromWeight} %`);
  assert.match(reason, /median.*\d/);
  assertNoneFailed(loads);
}

async function dying(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  let died = '';
  const { loads, report, reason, status } = await runWith(ending, bed, goodVersion, async (run) => {
    await run.weight(50);
    died = new Date().toISOString();
    await Promise.all(bed.pods.map((pod) => pod.die()));
  });
  t.diagnostic(`${reason}; from ${status.rollback?.fromWeight} %`);
  assert.equal(status.rollback?.fromWeight, 50, tell(status));
  assert.match(reason, /errors/);
  const last = report.steps.at(-1);
  assert.ok(last?.outcome === 'breach' && last.weight === 50);
  // From its death on all of its share may fail, until callers have heard of the way back; nothing before.
  t.diagnostic(assertExplained(loads, { ...report, steps: [{ ...last, begunAt: died }] }, 1));
}
