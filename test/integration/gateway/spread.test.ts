import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type EchoReply, startEchoApp } from '../../../cli/demo/echo-app.ts';
import { agentOptions, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { GatewaySite } from './gateway-site.ts';

async function vms(t: TestContext, site: GatewaySite, count: number) {
  const started = [];
  for (let i = 1; i <= count; i++) {
    const app = await startEchoApp(`orders-${i}`);
    t.after(() => app.close());
    const services = [{ namespace: 'shop', name: 'orders', port: 80, appPort: app.port }];
    const token = await site.plane.token('orders');
    const { agent } = await runTestAgent(t, agentOptions({ stateDir: await temporaryDir(t), token, instance: `vm-${i}`, services }));
    started.push({ name: `orders-${i}`, port: agent.inbound.port });
  }
  return started;
}

for (const count of [2, 3]) {
  test(`one caller, one request at a time, ${count} backends behind a gateway that passes mTLS through: each has its share`, async (t) => {
    const site = await GatewaySite.start(t);
    const backends = await vms(t, site, count);
    const { gateway } = await site.gateway({ token: await site.token() });
    const port = await deadPort();
    site.serve({
      passthrough: backends.map((each) => each.port),
      originate: [{ port, cidrs: ['127.0.0.0/8'] }],
      outbound: [site.behind(gateway.eastWest.port, '')],
    });
    const call = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      return ((await response.json()) as EchoReply).app;
    };
    await until('an answer', call);
    const requests = 600;
    const counts = new Map<string, number>();
    for (let i = 0; i < requests; i++) {
      const app = await call();
      counts.set(app, (counts.get(app) ?? 0) + 1);
    }
    for (const { name } of backends) {
      const share = ((counts.get(name) ?? 0) * count) / requests;
      assert.ok(share > 0.7 && share < 1.3, `${name}: ${JSON.stringify([...counts])}`);
    }
  });
}
