import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type EchoReply, startEchoApp } from '../../cli/demo/echo-app.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { EnvoyNodes } from './envoy/mesh.ts';

const host = 'orders.shop.mesh.internal:8080';

async function call(port: number): Promise<EchoReply> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as EchoReply;
}

async function app(t: TestContext, name: string) {
  const running = await startEchoApp(name);
  onEnd(t, () => running.close());
  return running;
}

test('VMs and gateway with Envoy in place of our proxy: calls on one network, and through the gateway from another', async (t) => {
  const mesh = await EnvoyNodes.start(t);
  const { port: appPort } = await app(t, 'orders');
  const [near, far] = [await deadPort(), await deadPort()];
  const orders = await mesh.vm('orders', { serves: { port: 8080, appPort } });
  const gateway = await mesh.gateway('gw-1', 'east', 'envoy');
  const caller = await mesh.vm('web', { outbound: { [host]: near } });
  const abroad = await mesh.vm('abroad', { outbound: { [host]: far }, network: 'other' });
  const answer = await until('an answer on the same network', () => call(near));
  assert.deepEqual([answer.app, answer.principal], ['orders', 'spiffe://mesh.example.org/ns/shop/sa/web']);
  const through = await until('an answer through the gateway', () => call(far));
  assert.deepEqual([through.app, through.principal], ['orders', 'spiffe://mesh.example.org/ns/shop/sa/abroad']);
  for (const node of [orders, caller, abroad, gateway]) {
    const { proxy } = await until('a fed Envoy', async () => {
      const status = await node.status();
      return status.proxy.kind === 'envoy' && status.proxy.connected ? status : undefined;
    });
    assert.ok(proxy.kind === 'envoy');
    assert.deepEqual(
      [proxy.state, proxy.version, proxy.updateRejected, proxy.restarts, proxy.refused, proxy.problem],
      ['live', '1.40.0', 0, 0, [], undefined],
    );
    assert.match(await node.metrics(), /envoy_cluster_upstream_rq_total/);
  }
});
