import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ServiceError, status } from '@grpc/grpc-js';
import { Loads, loadReportingServer } from '../../../control/telemetry/loads/index.ts';
import { controlChannel, ensureOwnerOnlyDir, obtainIdentity } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import { systemClock as clock } from '../../../core/system-clock.ts';
import { Node } from '../../../core/xds/gen/envoy/config/core/v3/base.ts';
import { ClusterStats, UpstreamLocalityStats } from '../../../core/xds/gen/envoy/config/endpoint/v3/load_report.ts';
import {
  LoadReportingServiceClient,
  LoadReportingServiceService,
  LoadStatsRequest,
} from '../../../core/xds/gen/envoy/service/load_stats/v3/lrs.ts';
import { startControlPlane, temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

/** A control plane that takes load reports, and an Envoy's connection with an SVID of its own. */
async function scene(t: TestContext) {
  const dir = await temporaryDir(t);
  const loads = new Loads(clock);
  const stop = new AbortController();
  const plane = await startControlPlane({
    dir: join(dir, 'control'),
    extend: ({ front, log }) => {
      const callerOf = (call: Parameters<typeof front.callerOf>[0]) => front.callerOf(call);
      const options = { loads, cluster: 'east', callerOf, clock, log, everySeconds: 1, signal: stop.signal };
      front.addService(LoadReportingServiceService, loadReportingServer(options));
    },
  });
  onEnd(t, async () => {
    stop.abort();
    await plane.stop();
  });
  await ensureOwnerOnlyDir(join(dir, 'proxy'));
  const token = await plane.token();
  const given = { dir: join(dir, 'proxy'), token, instance: 'vm-1', clock, random: Math.random, log: silentLog };
  const identity = await obtainIdentity({ ...given, signal: stop.signal });
  const { credentials, options } = controlChannel(identity, { cluster: 'east', now: () => clock.now() });
  const client = new LoadReportingServiceClient(plane.address, credentials, options);
  onEnd(t, () => client.close());
  const open = (id: string) => {
    const call = client.streamLoadStats();
    const heard = { asked: 0, code: undefined as status | undefined };
    call.on('data', () => {
      heard.asked += 1;
    });
    call.on('error', (error: ServiceError) => {
      heard.code = error.code;
    });
    call.write(LoadStatsRequest.create({ node: Node.create({ id }) }));
    return { call, heard };
  };
  return { loads, plane, stop, open, own: formatSpiffeId(identity.current().spiffeId) };
}

function report(clusterName: string, sent: number, failed = 0): LoadStatsRequest {
  const place = { totalIssuedRequests: sent, totalErrorRequests: failed, totalRequestsInProgress: 1 };
  const stats = ClusterStats.create({
    clusterName,
    upstreamLocalityStats: [UpstreamLocalityStats.create(place)],
    totalDroppedRequests: 2,
  });
  return LoadStatsRequest.create({ clusterStats: [stats, { ...stats, clusterName: 'isthmus-control' }] });
}

test('an Envoy is asked for load reports, and what it says is added up, of the mesh alone', async (t) => {
  const { loads, open, own, stop } = await scene(t);
  const { call, heard } = open(`${own}#vm-1.envoy`);
  await until('to be asked', () => heard.asked === 1);
  call.write(report('outbound|80||pay.shop.mesh.internal', 5, 1));
  call.write(report('outbound_.80_._.pay.shop.mesh.internal', 7));
  await until('to be asked again', () => heard.asked === 3);
  const [only, ...others] = loads.status();
  assert.deepEqual(others, []);
  assert.deepEqual({ ...only, ageMs: 0 }, { id: `${own}#vm-1.envoy`, ageMs: 0, sent: 12, failed: 1, dropped: 4, inProgress: 1 });
  stop.abort();
  await until('the end', () => heard.code === status.UNAVAILABLE);
});

test('an Envoy that says it is somebody else is refused, and logged', async (t) => {
  const { loads, plane, open, own } = await scene(t);
  for (const id of [own.replace(/[^/]+$/, 'other#vm-1'), `${own}-2#vm-1`, own, '']) {
    const { call, heard } = open(id);
    call.write(report('outbound|80||pay.shop.mesh.internal', 5));
    await until('the refusal', () => heard.code === status.PERMISSION_DENIED);
  }
  assert.deepEqual(loads.status(), []);
  assert.equal(plane.lines.filter((line) => line.startsWith('load reports for another identity')).length, 4);
});
