import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Bed, part, startBed } from './migration/bed.ts';
import { type Loads, startLoads } from './migration/callers.ts';
import { eventsOf, Run } from './migration/follow.ts';
import { assertLeft, assertMeasured, assertNoneFailed, assertWeights } from './migration/judge.ts';
import { podSide, vmSide } from './migration/objects.ts';
import { appPort } from './migration/runtimes.ts';
import { endInReverse } from './servers/index.ts';
import { startLoad } from './site-loss/load-process.ts';

type Ending = (end: () => Promise<unknown>) => void;

/** No latency for byte streams: how long they last is their callers' affair. */
const tcpGates = '  - {name: errors, type: errorRate, max: 1%, minSamples: 20}\n';
const weights = [5, 25, 50, 100];

describe('a service moves between runtimes while it is called', { timeout: 420_000 }, () => {
  test('from VMs behind Consul to Kubernetes and back, for HTTP by request and for TCP by connection', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending);
    await part(t, bed, 'there: nothing fails, the weights are kept, and the VMs are safe once nobody calls them', (s) =>
      there(s, ending, bed),
    );
    await part(t, bed, 'and back', (s) => back(s, ending, bed));
  });
});

async function there(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  const { control, callers, vms, pods } = bed;
  const [vm] = vms;
  assert.ok(vm !== undefined);
  const [requests, connections] = await begin(ending, bed);
  const stranger = startLoad(bed.host('dc', 'outside'), `http://${vm.host.address}:${appPort}/`, { gets: 2, posts: 0 });
  ending(() => stranger.kill());
  const orders = await Run.start(control);
  const ledger = await Run.start(control, { name: 'ledger', gates: tcpGates });
  await orders.phase('draining', 180_000);
  const called = await orders.until('the VM that is called from outside the mesh', ({ drain }) =>
    drain.some(({ verdict }) => verdict === 'in-use'),
  );
  const used = called.drain.find(({ verdict }) => verdict === 'in-use');
  assert.equal(used?.address, `${vm.host.address}:${appPort}`);
  assert.ok(
    used.callers.some(({ address }) => address === bed.host('dc', 'outside').address),
    JSON.stringify(used.callers),
  );
  await stranger.finish();
  const done = await orders.phase('done', 60_000);
  assert.deepEqual(new Set(done.drain.map(({ verdict }) => verdict)), new Set(['safe']));
  await ledger.phase('done', 60_000);

  const byRequest = await requests.finish();
  const byConnection = await connections.finish();
  for (const [run, loads] of [
    [orders, byRequest],
    [ledger, byConnection],
  ] as const) {
    const report = await run.report();
    assert.deepEqual(
      report.steps.map(({ weight, outcome }) => [weight, outcome]),
      weights.map((weight) => [weight, 'passed']),
    );
    for (const line of assertWeights(loads, report, pods, run)) t.diagnostic(line);
    assertMeasured(report);
    assertNoneFailed(loads);
    const [draining] = eventsOf(report, 'draining');
    assertLeft(loads, vms, Date.parse(draining?.at ?? ''));
    assert.deepEqual(report.callers.length >= callers.length, true, JSON.stringify(report.callers));
  }
}

async function back(t: TestContext, ending: Ending, bed: Bed): Promise<void> {
  const [requests, connections] = await begin(ending, bed);
  const run = await Run.start(bed.control, { name: 'orders-back', service: 'orders', from: podSide, to: vmSide });
  await run.phase('draining', 180_000);
  const loads = await requests.finish();
  const report = await run.report();
  for (const line of assertWeights(loads, report, bed.vms, run)) t.diagnostic(line);
  assertNoneFailed(loads);
  const others = await connections.finish();
  assertNoneFailed(others);
  assertLeft(others, bed.vms, 0);
}

async function begin(ending: Ending, { callers }: Bed): Promise<[Loads, Loads]> {
  const requests = await startLoads(callers, 'orders', 40);
  ending(() => requests.kill());
  const connections = await startLoads(callers, 'ledger', 15);
  ending(() => connections.kill());
  return [requests, connections];
}
