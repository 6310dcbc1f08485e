import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Reporters, ReportPace, TrafficMeters, TrafficStore, telemetryServer } from '../../../control/telemetry/traffic/index.ts';
import { ensureOwnerOnlyDir, obtainIdentity } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import { systemClock as clock } from '../../../core/system-clock.ts';
import { type FlowKey, FlowRecorder, noGroup } from '../../../core/telemetry/index.ts';
import { TelemetryService } from '../../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';
import { FlowReporter } from '../../../gateway/telemetry/flows/flow-reporter.ts';
import { startControlPlane, temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const outbound = 'outbound|80||pay.shop.mesh.internal';

function key(reporter: FlowKey['reporter'], more: Partial<FlowKey> = {}): FlowKey {
  return { reporter, sourcePrincipal: '', sourceCluster: '', route: 'r', cluster: outbound, group: noGroup, ...more };
}

/** A control plane that takes reports, and one proxy's reporter. */
async function scene(t: TestContext, everyMs = 20, hurryMs?: number, slower = 1) {
  const dir = await temporaryDir(t);
  const store = new TrafficStore(clock);
  const reporters = new Reporters(clock);
  const meters = new TrafficMeters(clock);
  const pace = new ReportPace();
  pace.hurry(hurryMs);
  const ended = new AbortController();
  const port = await deadPort();
  const start = async () => {
    const stop = new AbortController();
    const plane = await startControlPlane({
      dir: join(dir, 'control'),
      port,
      extend: ({ front, log }) => {
        const mesh = {
          hostSuffix: 'mesh.internal',
          isService: (namespace: string, name: string) => namespace === 'shop' && (name === 'pay' || name === 'orders'),
          serves: (_: unknown, namespace: string, name: string) => namespace === 'shop' && name === 'orders',
        };
        const callerOf = (call: Parameters<typeof front.callerOf>[0]) => front.callerOf(call);
        const server = telemetryServer({
          store,
          reporters,
          meters,
          pace,
          mesh,
          cluster: 'east',
          callerOf,
          clock,
          log,
          signal: stop.signal,
        });
        front.addService(TelemetryService, server);
      },
    });
    return {
      plane,
      stop: async () => {
        stop.abort();
        await plane.stop();
      },
    };
  };
  const first = await start();
  const token = await first.plane.token();
  await ensureOwnerOnlyDir(join(dir, 'proxy'));
  const identity = await obtainIdentity({
    dir: join(dir, 'proxy'),
    token,
    instance: 'vm-1',
    clock,
    random: Math.random,
    log: silentLog,
    signal: ended.signal,
  });
  const recorder = new FlowRecorder();
  const addresses = () => [first.plane.address];
  const itsClock = { ...clock, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(slower * ms, signal) };
  const options = { recorder, identity, addresses, instance: 'vm-1', clock: itsClock, random: Math.random, log: silentLog, everyMs };
  const reporter = new FlowReporter(options);
  const running = reporter.run(ended.signal);
  onEnd(t, async () => {
    ended.abort();
    await running;
  });
  return { store, reporters, meters, pace, recorder, first, start, ended, running };
}

const seen = { kind: 'request' as const, attempts: 1, code: 200, flags: [], bytesReceived: 3, bytesSent: 5, duration: 2 };
const total = (store: TrafficStore) => store.flows(3_600_000).reduce((sum, f) => sum + f.counts.requests, 0);

test('what a proxy counts arrives whole, through a control plane that is gone for a while', async (t) => {
  const { store, recorder, reporters, first, start } = await scene(t);
  const record = (n: number) => {
    for (let i = 0; i < n; i++) recorder.record(key('source', { route: `r${i % 7}` }), seen);
  };
  record(1_000);
  await until('the first are there', () => total(store) === 1_000);
  record(10);
  await first.stop();
  record(500);
  const second = await start();
  onEnd(t, () => second.stop());
  await until('all are there', () => total(store) === 1_510);
  const [flow] = store.flows(3_600_000, ({ route }) => route === 'r0');
  assert.deepEqual(flow?.key.source, { principal: 'mesh.test/ns/shop/sa/orders', cluster: 'east' });
  assert.deepEqual({ ...flow?.key.destination }, { namespace: 'shop', name: 'pay', host: 'pay.shop.mesh.internal', port: 80, subset: '' });
  assert.equal(reporters.status()[0]?.id, 'spiffe://mesh.test/ns/shop/sa/orders#vm-1');
  assert.equal(reporters.status()[0]?.dropped, 0);
});

test('a workload speaks for itself alone, and what it may not say is left out and counted', async (t) => {
  const { store, recorder, reporters, first } = await scene(t);
  onEnd(t, () => first.stop());
  const forged = { sourcePrincipal: 'mesh.test/ns/shop/sa/admin', sourceCluster: 'west' };
  recorder.record(key('source', forged), seen);
  recorder.record(key('gateway', forged), seen);
  recorder.record(key('destination', forged), seen);
  recorder.record(key('destination', { ...forged, cluster: 'inbound|80||orders.shop.mesh.internal' }), seen);
  await until('both are there', () => total(store) === 2);
  const flows = store.flows(3_600_000).map(({ key: k }) => `${k.reporter} ${k.source.principal}@${k.source.cluster} ${k.destination.name}`);
  assert.deepEqual(flows.sort(), ['destination mesh.test/ns/shop/sa/admin@west orders', 'source mesh.test/ns/shop/sa/orders@east pay']);
  assert.equal(reporters.status()[0]?.refused, 2);
});

test('what was counted last is said before the proxy ends', async (t) => {
  // The second that it takes for it at most would be too short on a busy machine.
  const { store, recorder, reporters, first, ended, running } = await scene(t, 20, undefined, 10);
  onEnd(t, () => first.stop());
  await until('it reports', () => reporters.status().length === 1);
  recorder.record(key('source'), seen);
  ended.abort();
  await running;
  assert.equal(total(store), 1);
});

test('proxies report as soon as they are asked to, and what a meter counted is what they said, once', async (t) => {
  const { meters, pace, recorder, reporters, first } = await scene(t, 60_000, 1);
  onEnd(t, () => first.stop());
  assert.equal(pace.nextMs, 500, 'never sooner');
  const meter = meters.meter('shop/pay' as ServiceKey);
  await until('the first report, which is as soon as there is a connection', () => reporters.status().length === 1);
  const side = (name: string) => `outbound|80|${name}|pay.shop.mesh.internal`;
  for (let i = 0; i < 30; i++) recorder.record(key('source', { cluster: side('isthmus-from') }), seen);
  recorder.record(key('source', { cluster: side('isthmus-to') }), { ...seen, code: 503, flags: ['UF'] });
  const stream = { attempts: 1, flags: [], bytesReceived: 0, bytesSent: 0, duration: 5 };
  recorder.record(key('source', { cluster: side('isthmus-to') }), { kind: 'opened', ...stream });
  recorder.record(key('source', { cluster: side('isthmus-to') }), { kind: 'connection', failed: true, ...stream, flags: ['UF'] });
  // The next would be a minute later, if nobody asked.
  await until('they are there', () => meter.read().from.requests === 30, 10_000);
  const { from, to, callers } = meter.read();
  assert.deepEqual([from.errors, from.connections, from.latencySumMs], [0, 0, 60]);
  assert.deepEqual([to.requests, to.errors, to.connections, to.connectionErrors], [1, 1, 2, 1]);
  assert.deepEqual(callers, [{ source: 'mesh.test/ns/shop/sa/orders', cluster: 'east', from: 30, to: 3 }]);
  assert.deepEqual(meters.callersOf('shop/pay' as ServiceKey), ['spiffe://mesh.test/ns/shop/sa/orders#vm-1']);
  pace.hurry(undefined);
  assert.equal(pace.nextMs, 0);
});
