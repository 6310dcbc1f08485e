import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Traffic } from '../../core/admin/index.ts';
import { until } from '../support/until.ts';
import { type Bed, part, startBed } from './migration/bed.ts';
import { type Loads, startLoads } from './migration/callers.ts';
import { startClockProxy } from './migration/clock.ts';
import { Run } from './migration/follow.ts';
import { assertNoneFailed } from './migration/judge.ts';
import { appPort } from './migration/runtimes.ts';
import { endInReverse, type RunningPrometheus, startPrometheus } from './servers/index.ts';

type Ending = (end: () => Promise<unknown>) => void;

const errors = '  - {name: errors, type: errorRate, max: 1%, minSamples: 5}\n';
const rate = (metric: string) =>
  `sum(rate(${metric}{service="$service",namespace="$namespace",code="500"}[5s])) / sum(rate(${metric}{service="$service",namespace="$namespace"}[5s]))`;
const gate = (url: string, query: string) =>
  `${errors}  - {name: failed, type: prometheus, url: "${url}", query: '${query}', max: 0.01, timeout: 1s}\n`;
/** Large enough that one caller's requests soon tell something of them. */
const steps = '[25, 50, 100]';
/** Whoever ends something at 25 % must not come when that is over. */
const slowly = '[{weight: 25, bake: 20s}, 50, 100]';
const rule = (action: 'hold' | 'rollback') => `  onNoData: {action: ${action}, after: 4s}\n`;

describe('nothing passes on no data', { timeout: 420_000 }, () => {
  test('Prometheus gone, a metric misnamed, no requests, a clock 10 minutes off', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending, { callers: ['isthmus'] });
    const { netns, address } = bed.host('dc', 'prometheus');
    const targets = bed.pods.map(({ host }) => `${host.address}:${appPort}`);
    const prometheus = await startPrometheus({ netns, address, jobs: { pods: targets } });
    ending(() => prometheus.stop());
    await part(t, bed, 'no requests: nothing even begins', (s) => idle(s, bed));
    await part(t, bed, 'a metric misnamed: held, and over when it is renamed', (s) => misnamed(s, ending, bed, prometheus));
    await part(t, bed, 'a clock 10 minutes off: gone back', (s) => wrongClock(s, ending, bed, prometheus));
    await part(t, bed, 'Prometheus gone in the middle of a step: gone back', (s) => gone(s, ending, bed, prometheus));
  });
});

/** Callers whose requests are seen by the control plane: without any, nothing that is asked for here would even begin. */
async function startCalling(ending: Ending, { control, callers }: Bed): Promise<Loads> {
  const seen = async () => {
    const { flows } = JSON.parse(await control.run('traffic', '--output', 'json')) as Traffic;
    return flows.filter(({ destination }) => destination === 'shop/orders').reduce((sum, flow) => sum + flow.requests, 0);
  };
  const before = await seen();
  const requests = await startLoads(callers, 'orders', 40);
  ending(() => requests.kill());
  await until('the load to be seen', async () => (await seen()) > before + 100, 60_000);
  return requests;
}

async function idle(t: TestContext, bed: Bed): Promise<void> {
  const run = await Run.start(bed.control, { steps, more: rule('hold') });
  const held = await run.until('a hold', ({ hold }) => hold !== null, 60_000);
  t.diagnostic(held.hold?.reason ?? '');
  assert.equal(held.phase, 'baseline');
  assert.equal(held.to.weight, 0);
  assert.match(held.hold?.reason ?? '', /0 requests and connections to the old side, and 20 are needed/);
  await bed.control.run('migrate', 'rollback', 'shop/orders', '--reason', 'the next test');
  await run.phase('rolled-back');
}

async function misnamed(t: TestContext, ending: Ending, bed: Bed, { url }: RunningPrometheus): Promise<void> {
  const requests = await startCalling(ending, bed);
  const run = await Run.start(bed.control, { steps, gates: gate(url, rate('shop_request_total')), more: rule('hold') });
  const held = await run.until('a hold', ({ hold }) => hold !== null, 90_000);
  t.diagnostic(held.hold?.reason ?? '');
  assert.deepEqual([held.phase, held.to.weight], ['stepping', 25], 'it waits where it has no data');
  assert.match(held.hold?.reason ?? '', /gate failed: .*no sample.*check the metric's name/);
  assert.equal(held.gates.find(({ name }) => name === 'failed')?.verdict, 'no-data');
  await bed.control.run('migrate', 'rollback', 'shop/orders', '--reason', 'a query with the right name');
  await run.phase('rolled-back');
  const again = await Run.start(bed.control, { steps, gates: gate(url, rate('shop_requests_total')), more: rule('hold') });
  await again.weight(50);
  await bed.control.run('migrate', 'rollback', 'shop/orders', '--reason', 'the next test');
  await again.phase('rolled-back');
  assertNoneFailed(await requests.finish());
}

async function wrongClock(t: TestContext, ending: Ending, bed: Bed, { url }: RunningPrometheus): Promise<void> {
  const requests = await startCalling(ending, bed);
  const proxy = await startClockProxy(bed.host('dc', 'prometheus'), url, 600_000);
  ending(() => proxy.stop());
  const run = await Run.start(bed.control, { steps, gates: gate(proxy.url, rate('shop_requests_total')), more: rule('rollback') });
  const { rollback } = await run.phase('rolled-back', 90_000);
  t.diagnostic(rollback?.reason ?? '');
  assert.match(rollback?.reason ?? '', /gate failed: .* (599|60\d) s ahead of the control plane: set the clocks/);
  assertNoneFailed(await requests.finish());
}

async function gone(t: TestContext, ending: Ending, bed: Bed, prometheus: RunningPrometheus): Promise<void> {
  const requests = await startCalling(ending, bed);
  const run = await Run.start(bed.control, {
    steps: slowly,
    gates: gate(prometheus.url, rate('shop_requests_total')),
    more: rule('rollback'),
  });
  await run.weight(25);
  await prometheus.kill9();
  const { rollback } = await run.phase('rolled-back', 90_000);
  t.diagnostic(rollback?.reason ?? '');
  assert.match(rollback?.reason ?? '', /gate failed: Prometheus at http:\S+ cannot be reached/);
  assert.equal(rollback?.fromWeight, 25);
  assertNoneFailed(await requests.finish());
}
