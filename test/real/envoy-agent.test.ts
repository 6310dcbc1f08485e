import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type EchoReply, startEchoApp } from '../../cli/demo/echo-app.ts';
import type { AgentStatus } from '../../sidecar-vm/main.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { EnvoyNodes, type Node } from './envoy/mesh.ts';
import { SteadyCalls } from './envoy/steady-calls.ts';

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
  assert.deepEqual([answer.app, answer.principal], ['orders', 'spiffe://mesh.test/ns/shop/sa/web']);
  const through = await until('an answer through the gateway', () => call(far));
  assert.deepEqual([through.app, through.principal], ['orders', 'spiffe://mesh.test/ns/shop/sa/abroad']);
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
    const said = (await node.log()).split('\n').filter((line) => line.includes('"process":"envoy"'));
    assert.ok(said.length > 0);
    // A field that is there twice makes some log stores drop the line.
    for (const line of said) assert.equal(line.split('"component":').length, 2, line);
  }
});

/** `orders` on a VM or two, and `web`, which calls it on `local`. */
async function shop(t: TestContext, mesh: EnvoyNodes, replicas: readonly string[] = ['orders-1']) {
  const local = await deadPort();
  const orders: Node<AgentStatus>[] = [];
  for (const instance of replicas) {
    const { port: appPort } = await app(t, instance);
    orders.push(await mesh.vm('orders', { serves: { port: 8080, appPort }, instance }));
  }
  const web = await mesh.vm('web', { outbound: { [host]: local } });
  await until('an answer', () => call(local));
  return { orders, web, local };
}

async function envoyOf(node: Node<AgentStatus>) {
  const { proxy } = await node.status();
  if (proxy.kind !== 'envoy') throw new Error(`the proxy is ${proxy.kind}`);
  return proxy;
}

test('a renewed SVID replaces the old one in Envoy, in place: no request fails, though the first certificate has ended', async (t) => {
  const mesh = await EnvoyNodes.start(t, '12s');
  const { orders, web, local } = await shop(t, mesh);
  const leaves = async (node: Node<AgentStatus>) => {
    const { certificates } = JSON.parse(await node.admin('/certs')) as {
      certificates: { cert_chain: { serial_number: string }[] }[];
    };
    return new Set(certificates.flatMap((each) => each.cert_chain[0]?.serial_number ?? []));
  };
  const calls = new SteadyCalls(t, local);
  for (const node of [...orders, web]) {
    const { pid } = await envoyOf(node);
    const { identity } = await node.status();
    const [leaf] = await leaves(node);
    assert.ok(leaf !== undefined);
    const first = Date.parse(identity?.notAfter ?? '');
    await until('the end of the first certificate', () => Date.now() > first, 30_000);
    await until('another certificate in Envoy', async () => !(await leaves(node)).has(leaf));
    await until('a stream by the new one', async () => (await envoyOf(node)).connected);
    const now = await envoyOf(node);
    assert.deepEqual([now.pid, now.restarts, now.updateRejected], [pid, 0, 0]);
  }
  await calls.stop();
  assert.deepEqual(calls.failures, []);
  assert.ok(calls.total > 100, `${calls.total} calls`);
});

test('Envoy killed comes back; the agent killed leaves Envoy serving, and its next start takes over without a failed request', async (t) => {
  const mesh = await EnvoyNodes.start(t);
  const { orders, web, local } = await shop(t, mesh);
  const [served] = orders;
  assert.ok(served !== undefined);
  const before = await envoyOf(served);
  assert.ok(before.pid !== undefined);
  process.kill(before.pid, 'SIGKILL');
  const after = await until('another Envoy', async () => {
    const now = await envoyOf(served);
    return now.restarts === 1 && now.state === 'live' ? now : undefined;
  });
  assert.notEqual(after.pid, before.pid);
  assert.equal(after.lastExit, 'ended by SIGKILL');
  await until('an answer through it', () => call(local));

  const calls = new SteadyCalls(t, local);
  for (const node of [served, web]) {
    const { pid } = await envoyOf(node);
    assert.ok(pid !== undefined);
    await node.process.kill9();
    const had = calls.total;
    await until('answers without an agent', () => calls.total > had + 50);
    await node.process.restart();
    const next = await envoyOf(node);
    assert.notEqual(next.pid, pid);
    assert.equal(next.state, 'live');
    await until('the end of the old Envoy', () => !runs(pid));
  }
  await calls.stop();
  assert.deepEqual(calls.failures, []);
});

test('an agent that is stopped drains its Envoy: callers lose nothing, and the process is gone with it', async (t) => {
  const mesh = await EnvoyNodes.start(t);
  const { orders, local } = await shop(t, mesh, ['orders-1', 'orders-2']);
  const calls = new SteadyCalls(t, local);
  await until('answers of both', () => calls.answers.size === 2);
  const [first] = orders;
  assert.ok(first !== undefined);
  const { pid } = await envoyOf(first);
  assert.ok(pid !== undefined);
  // Killed before it has drained, it would leave its Envoy behind.
  await first.process.terminate(60_000);
  assert.equal(runs(pid), false);
  const had = calls.answers.get('orders-2') ?? 0;
  await until('answers of the other', () => (calls.answers.get('orders-2') ?? 0) > had + 50);
  await calls.stop();
  assert.deepEqual(calls.failures, []);
});

test('without a control plane Envoy goes on, and says that it is not fed; no key is anywhere but on its socket', async (t) => {
  const mesh = await EnvoyNodes.start(t);
  const { orders, web, local } = await shop(t, mesh);
  await mesh.stopControl();
  await until('a lost stream', async () => !(await envoyOf(web)).connected);
  assert.equal((await call(local)).app, 'orders-1');
  await mesh.startControl();
  await until('its stream back', async () => (await envoyOf(web)).connected, 40_000);
  for (const node of [...orders, web]) {
    const kept = JSON.parse(await readFile(join(node.stateDir, 'identity', 'svid.json'), 'utf8')) as { keyPem: string };
    const secret = kept.keyPem.split('\n')[1] ?? '';
    assert.ok(secret.length > 40);
    const dump = await node.admin('/config_dump?include_eds');
    assert.match(dump, /\[redacted\]/);
    const seen = [dump, await node.log(), JSON.stringify(await node.status()), await node.metrics()];
    for (const file of ['bootstrap.json', 'node.json', 'process.json']) {
      const path = join(node.stateDir, 'envoy', file);
      assert.equal((await stat(path)).mode & 0o777, 0o600, path);
      seen.push(await readFile(path, 'utf8'));
    }
    for (const text of seen) assert.ok(!text.includes(secret) && !text.includes('PRIVATE KEY'));
  }
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
