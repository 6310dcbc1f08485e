import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlChannel } from '../../../core/identity/index.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { Node } from '../../../core/xds/gen/envoy/config/core/v3/base.ts';
import { LoadReportingServiceClient, LoadStatsRequest } from '../../../core/xds/gen/envoy/service/load_stats/v3/lrs.ts';
import { ReportRequest, TelemetryClient } from '../../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from '../policy/guarded-mesh.ts';

const clients = 50;

const registry = (name: string) =>
  `apiVersion: isthmus.dev/v1alpha1\nkind: Registry\nmetadata: {name: ${name}}\nspec: {type: file, connection: {path: /nonexistent/${name}}}\n`;

test('a control plane with many clients and sources has no signal with so many listeners that Node takes it for a leak', async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning.stack ?? warning.message);
  process.on('warning', onWarning);
  onEnd(t, () => process.off('warning', onWarning));
  const mesh = await GuardedMesh.start(t);
  await mesh.configure('registries.yaml', Array.from({ length: 24 }, (_, i) => registry(`dc-${i}`)).join('---\n'));
  const identity = await mesh.identity('orders');
  const own = formatSpiffeId(identity.current().spiffeId);
  const { credentials, options } = controlChannel(identity, { cluster: 'east', now: () => systemClock.now() });
  const address = identity.token.addresses[0] ?? '';
  // A connection for each: one carries 64 streams.
  const apart = { ...options, 'grpc.use_local_subchannel_pool': 1 };
  const telemetry = new TelemetryClient(address, credentials, apart);
  const loads = new LoadReportingServiceClient(address, credentials, apart);
  onEnd(t, () => {
    telemetry.close();
    loads.close();
  });
  let answers = 0;
  const failures: Error[] = [];
  for (let i = 0; i < clients; i += 1) {
    const reports = telemetry.report();
    const stats = loads.streamLoadStats();
    for (const call of [reports, stats]) {
      call.on('data', () => {
        answers += 1;
      });
      call.on('error', (error) => failures.push(error));
      onEnd(t, () => call.cancel());
    }
    reports.write(ReportRequest.create({ instance: `vm-${i}`, epoch: '1', sequence: 1 }));
    stats.write(LoadStatsRequest.create({ node: Node.create({ id: `${own}#vm-${i}` }) }));
  }
  await until('an answer for each', () => answers === 2 * clients);
  await until('the sources', async () => (await mesh.cli('status', '--output', 'json')).includes('dc-23'));
  assert.deepEqual(failures, []);
  assert.deepEqual(warnings, []);
});
