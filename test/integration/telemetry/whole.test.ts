import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import type { Status, Traffic } from '../../../core/admin/index.ts';
import { agentOptions, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { json, policy, written } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

test('both ends of a call report it whole; traffic, status and plan read it from a whole control plane', async (t) => {
  const dir = await temporaryDir(t);
  const grpc = `127.0.0.1:${await deadPort()}`;
  const control = await RealControl.make(dir, 'east', '', { network: 'net-a', grpc: { listen: grpc, advertise: [grpc] } });
  onEnd(t, () => control.stop());
  await control.start();
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const [inbound, port, local] = [await deadPort(), await deadPort(), await deadPort()];
  const agent = async (name: string, more: object) => {
    const args = ['vm', 'token', `shop/${name}`, '--port', String(port), '-o', 'json'];
    const { token } = json<{ token: string }>(await control.cli(...args));
    return runTestAgent(t, agentOptions({ stateDir: join(dir, name), token, instance: name, ...more }));
  };
  const services = (name: string, appPort: number) => [{ namespace: 'shop', name, port, appPort, protocol: 'http' as const }];
  await agent('orders', { services: services('orders', app.port), inbound: { address: '127.0.0.1', port: inbound } });
  const explicit = { [`${host('orders')}:${port}`]: local };
  await agent('web', { services: services('web', app.port), outbound: { loopbackAddresses: false, explicit } });

  const traffic = async (...args: string[]) => json<Traffic>(await control.cli('traffic', ...args, '-o', 'json'));
  const get = async () => (await fetch(`http://127.0.0.1:${local}/`)).status;
  await until('an answer', async () => (await get()) === 200);
  const counted = async () => {
    const { flows } = await traffic('-', 'shop/orders', '--all');
    const of = (reporter: string) => flows.filter((f) => f.reporter === reporter).reduce((sum, f) => sum + (f.codes['200'] ?? 0), 0);
    return { source: of('source'), destination: of('destination') };
  };
  const before = await until('the first is reported by both', async () => {
    const now = await counted();
    return now.source > 0 && now.source === now.destination ? now : undefined;
  });
  for (let i = 0; i < 200; i++) assert.equal(await get(), 200);
  const all = before.source + 200;
  await until('all are there', async () => {
    const { source, destination } = await counted();
    return source === all && destination === all;
  });
  const once = await traffic('shop/web', 'shop/orders');
  assert.deepEqual([...new Set(once.flows.map((f) => f.reporter))].length, 1, 'nothing is counted twice');
  assert.ok(once.flows.every((f) => f.source === 'mesh.test/ns/shop/sa/web' && f.sourceCluster === 'east'));
  assert.deepEqual((await traffic('shop/nobody')).flows, []);
  assert.match((await control.cli('traffic')).out, /shop\/web@east +shop\/orders:\d+ .*100\.00%/);

  const status = json<Status>(await control.cli('status', '-o', 'json'));
  for (const client of status.clients) assert.ok((client.telemetryAgeMs ?? Number.NaN) < 60_000, client.instance);
  const plan = await control.cli('plan', '-f', await written(control, 'deny.yaml', policy('cut', 'shop')));
  assert.match(plan.out, /would cut off mesh\.test\/ns\/shop\/sa\/web of east, which called shop\/orders 2\d\d times/, plan.out + plan.err);
});
