import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { until } from '../support/until.ts';
import { type Bed, part, startBed } from './migration/bed.ts';
import { startLoads } from './migration/callers.ts';
import { eventsOf, Run } from './migration/follow.ts';
import { assertExplained, assertLeft, assertNoneFailed, assertWeights } from './migration/judge.ts';
import { podSide } from './migration/objects.ts';
import { endInReverse } from './servers/index.ts';

/** Answers to each caller after a way back is over, of 40 a second: enough to see where they come from. */
const heard = 200;

type Ending = (end: () => Promise<unknown>) => void;

describe('the link between the runtimes is cut in the middle of a step', { timeout: 420_000 }, () => {
  test('it holds or goes back, as the object says', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending, { callers: ['isthmus', 'plain'] });
    await part(t, bed, 'the registry alone is out of reach, and the rule is to hold', (s) => holds(s, ending, bed));
    await part(t, bed, 'the registry alone is out of reach, and the rule is to go back', (s) => goesBack(s, ending, bed));
    await part(t, bed, 'the pods alone are out of reach: what their callers see is a breach, whatever the rule', (s) =>
      cutOff(s, ending, bed),
    );
  });
});

/** A connection that is silent is taken for dead after some seconds: the step in which that happens lasts longer. */
const written = (action: 'hold' | 'rollback') => ({
  steps: '[5, {weight: 25, bake: 30s}, 50, 100]',
  more: `  onPartition: {action: ${action}, after: 4s}\n`,
});

async function holds(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  const requests = await startLoads(bed.callers, 'orders', 40);
  ending(() => requests.kill());
  const run = await Run.start(bed.control, written('hold'));
  await run.weight(25);
  await bed.network.cut('dc', 'api');
  const held = await run.until('a hold', ({ hold }) => hold !== null, 90_000);
  t.diagnostic(held.hold?.reason ?? '');
  assert.match(held.hold?.reason ?? '', /the new side's registry is stale/);
  const { weight } = held.to;
  const later = await run.until('a while', ({ hold }) => Date.now() - Date.parse(hold?.since ?? '') > 10_000);
  assert.equal(later.to.weight, weight, 'traffic stays where it is');
  await bed.network.heal('dc', 'api');
  await run.phase('draining', 120_000);
  const loads = await requests.finish();
  const report = await run.report();
  assert.equal(eventsOf(report, 'hold').length, 1);
  assert.equal(eventsOf(report, 'hold-over').length, 1);
  for (const line of assertWeights(loads, report, bed.pods, run)) t.diagnostic(line);
  assertNoneFailed(loads);
  await bed.control.run('migrate', 'rollback', 'shop/orders', '--reason', 'the next test');
  await run.phase('rolled-back');
}

async function goesBack(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  const requests = await startLoads(bed.callers, 'orders', 40);
  ending(() => requests.kill());
  const run = await Run.start(bed.control, written('rollback'));
  await run.weight(25);
  await bed.network.cut('dc', 'api');
  const { rollback, endedAt } = await run.phase('rolled-back', 90_000);
  await requests.more(heard);
  await bed.network.heal('dc', 'api');
  await until('the registry to be known again', async () => {
    const { sources } = await bed.control.status();
    return sources.find(({ source }) => source === podSide)?.state === 'live';
  });
  const loads = await requests.finish();
  t.diagnostic(rollback?.reason ?? '');
  assert.match(rollback?.reason ?? '', /the new side's registry is stale, for longer than 4000 ms/);
  assertLeft(loads, bed.pods, Date.parse(endedAt ?? ''));
  assertNoneFailed(loads);
  assert.equal((await run.report()).status.rollback?.reason, rollback?.reason);
}

async function cutOff(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  const requests = await startLoads(bed.callers, 'orders', 40);
  ending(() => requests.kill());
  const run = await Run.start(bed.control, written('hold'));
  await run.weight(25);
  await bed.network.cut('dc', 'k8s');
  const { rollback, endedAt } = await run.phase('rolled-back', 90_000);
  await requests.more(heard);
  await bed.network.heal('dc', 'k8s');
  const loads = await requests.finish();
  t.diagnostic(`${rollback?.reason}; from ${rollback?.fromWeight} %`);
  t.diagnostic(assertExplained(loads, await run.report(), 1));
  assertLeft(loads, bed.pods, Date.parse(endedAt ?? ''));
}
