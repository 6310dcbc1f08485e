import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decode, encode } from 'dns-packet';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import type { AgentOptionsInput } from '../../../sidecar-vm/main.ts';
import { AgentPlane, agentOptions, host, type MeshService, runTestAgent, type TestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

/** After a whole collection: what is only waiting for one is not held. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

const skip = process.platform === 'linux' ? false : '127.64.0.0/10 is loopback without further ado on Linux alone';

/** A mesh of many services, `orders` of which this VM serves itself on `port`; its agent knows what is looked up. */
async function meshOfMany(t: TestContext, more: Partial<AgentOptionsInput> = {}) {
  const plane = await AgentPlane.start(t);
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const [inbound, port] = [await deadPort(), await deadPort()];
  const options = agentOptions({
    stateDir: await temporaryDir(t),
    token: await plane.token('orders'),
    services: [{ namespace: 'shop', name: 'orders', port, appPort: app.port }],
    inbound: { address: '127.0.0.1', port: inbound },
    outbound: { loopbackAddresses: true },
    ...more,
  });
  const others = Array.from({ length: 200 }, (_, n): MeshService => ({ name: `s${n}`, port, endpoints: [inbound] }));
  const orders = { name: 'orders', port, endpoints: [inbound] };
  plane.serve([orders, ...others]);
  return { plane, options, port, orders, others };
}

/** Longer than an agent thinks about a name. */
const lostAfterMs = 5_000;
const lostAtMost = 200;

/** Each name by a Resolver of its own: after some answers c-ares waits a few times as long as those took, whatever `timeout` says. */
function resolverOf({ agent }: TestAgent) {
  const fresh = () => {
    const resolver = new Resolver({ timeout: 5_000, tries: 1 });
    resolver.setServers([`127.0.0.1:${agent.dns.port}`]);
    return resolver;
  };
  return { resolve4: (name: string) => fresh().resolve4(name), resolve6: (name: string) => fresh().resolve6(name) };
}

const answer = async (address: string, port: number) => ((await (await fetch(`http://${address}:${port}/`)).json()) as { app: string }).app;
const hosts = ({ agent }: TestAgent) => agent.status().interest.map((each) => each.host);

test('only what is looked up is subscribed to; the first answer already leads there', { skip }, async (t) => {
  const { options, port } = await meshOfMany(t);
  const running = await runTestAgent(t, options);
  await until('live data', () => running.agent.status().data.from === 'control-plane');
  assert.deepEqual([running.agent.status().discovery, hosts(running), running.agent.status().outbound], ['on-demand', [], []]);
  const resolver = resolverOf(running);
  const [address = ''] = await resolver.resolve4('Orders.SHOP.svc.clusterset.local');
  assert.equal(await answer(address, port), 'orders');
  assert.deepEqual(await resolver.resolve4(host('orders')), [address]);
  await assert.rejects(resolver.resolve6(host('s7')), { code: 'ENODATA' });
  assert.deepEqual(hosts(running), [host('orders'), host('s7')]);
  assert.deepEqual(new Set(running.agent.status().outbound.map((each) => each.host)), new Set([host('orders'), host('s7')]));
  await assert.rejects(resolver.resolve4('shop.mesh.internal'), { code: 'ENODATA' });
  for (const name of ['a.b.shop.mesh.internal', 'un_named.shop.mesh.internal'])
    await assert.rejects(resolver.resolve4(name), { code: 'ENOTFOUND' });
  await assert.rejects(resolver.resolve4('example.test'), { code: 'EREFUSED' });
  assert.equal(hosts(running).length, 2, 'what can be no service is not asked for');
  assert.match((await running.get('/metrics')).body, /isthmus_agent_interest\{why="used"\} 2/);
});

test('a name that does not exist is told so, asked for once, and known as soon as it appears; a deleted one is gone', {
  skip,
}, async (t) => {
  const { plane, options, port, orders, others } = await meshOfMany(t);
  const running = await runTestAgent(t, options);
  const resolver = resolverOf(running);
  for (let n = 0; n < 5; n++) await assert.rejects(resolver.resolve4(host('late')), { code: 'ENOTFOUND' });
  assert.deepEqual(
    running.agent.status().interest.map(({ host: name, why, state }) => [name, why, state]),
    [[host('late'), 'asked', 'absent']],
  );
  plane.serve([orders, ...others, { name: 'late', port, endpoints: [options.inbound.port] }]);
  await until('it to be known without another question', () => running.agent.status().outbound.some((each) => each.host === host('late')));
  assert.deepEqual([(await resolver.resolve4(host('late'))).length, running.agent.status().interest[0]?.why], [1, 'used']);
  plane.serve([orders, ...others]);
  await until('it to be gone', () =>
    resolver.resolve4(host('late')).then(
      () => false,
      (error: { code?: string }) => error.code === 'ENOTFOUND',
    ),
  );
  assert.equal(running.agent.status().outbound.length, 0);
});

test('without a control plane: what was called is there after a restart before anybody asks, another name is SERVFAIL, not missing', {
  skip,
}, async (t) => {
  const { plane, options, port } = await meshOfMany(t);
  const first = await runTestAgent(t, options);
  const [address = ''] = await until('a name', () => resolverOf(first).resolve4(host('orders')));
  assert.equal(await answer(address, port), 'orders');
  await until('it on disk', async () => /LoadAssignment/.test(await readFile(join(options.stateDir, 'xds-state'), 'utf8')));
  await until('the interest on disk', async () =>
    (await readFile(join(options.stateDir, 'interest.json'), 'utf8')).includes(host('orders')),
  );
  await plane.stop();
  await assert.rejects(resolverOf(first).resolve4(host('s1')), { code: 'ESERVFAIL' });
  assert.equal(await answer(address, port), 'orders');
  await first.agent.drain();
  const second = await runTestAgent(t, options);
  assert.equal(await answer(address, port), 'orders');
  assert.deepEqual(await resolverOf(second).resolve4(host('orders')), [address]);
  const waiting = resolverOf(second).resolve4(host('s2'));
  await assert.rejects(waiting, { code: 'ESERVFAIL' });
  await plane.start();
  await until('the other name', () => resolverOf(second).resolve4(host('s2')));
});

test('a service that nobody looks up or is connected to is let go of, and gets its address again; a connection keeps another', {
  skip,
}, async (t) => {
  const { options, port } = await meshOfMany(t, { forgetAfterMs: 2_000 });
  const running = await runTestAgent(t, options);
  const resolver = resolverOf(running);
  const [held = ''] = await until('a name', () => resolver.resolve4(host('orders')));
  const socket = connect(port, held);
  onEnd(t, () => socket.destroy());
  await once(socket, 'connect');
  const [idle = ''] = await until('another name', () => resolver.resolve4(host('s3')));
  await until('the idle one to go', () => hosts(running).join() === host('orders') && running.agent.status().outbound.length === 1);
  const again = await until('the name once more', () => resolver.resolve4(host('s3')));
  assert.deepEqual(again, [idle]);
  await until('the idle one to go again', () => hosts(running).join() === host('orders'));
  socket.destroy();
  await until('the other one to go', () => running.agent.status().outbound.length === 0);
});

test('100,000 random names: subscriptions and memory stay bounded, and a real name is still found', { skip }, async (t) => {
  const { plane, options } = await meshOfMany(t);
  const running = await runTestAgent(t, options);
  await until('a name', () => resolverOf(running).resolve4(host('orders')));
  const socket = createSocket('udp4');
  onEnd(t, () => socket.close());
  const codes = new Map<number, number>();
  /** By id; no more than 64 at a time. */
  const waiting = new Map<number, { readonly query: Buffer; readonly at: number }>();
  let sent = 0;
  let most = 0;
  let lost = 0;
  const say = (id: number, query: Buffer) => {
    waiting.set(id, { query, at: performance.now() });
    socket.send(query, running.agent.dns.port, '127.0.0.1');
  };
  const ask = () => {
    const id = sent & 0xffff;
    const name = `x${sent.toString(36)}.n${sent % 97}.mesh.internal`;
    say(id, encode({ type: 'query', id, questions: [{ type: 'A', name, class: 'IN' }] }));
    sent += 1;
    if (sent % 1_000 === 0) most = Math.max(most, hosts(running).length);
  };
  socket.on('message', (packet) => {
    const { id = 0, flags = 0 } = decode(packet);
    // One that was asked for twice may be answered twice.
    if (!waiting.delete(id)) return;
    codes.set(flags & 15, (codes.get(flags & 15) ?? 0) + 1);
    if (sent < 100_000) ask();
  });
  // Datagrams may get lost on their way; a server that answers seldom would lose more than a few.
  const again = setInterval(() => {
    for (const [id, { query, at }] of waiting) {
      if (performance.now() - at < lostAfterMs || lost === lostAtMost) continue;
      lost += 1;
      say(id, query);
    }
  }, 1_000);
  onEnd(t, () => clearInterval(again));
  const before = heldBytes();
  for (let n = 0; n < 64; n++) ask();
  await until('all of them', () => sent === 100_000 && waiting.size === 0, 200_000);
  assert.ok(most > 100 && most <= 257, `${most} names of interest`);
  assert.ok(
    (codes.get(2) ?? 0) > (codes.get(3) ?? 0) && (codes.get(3) ?? 0) > 200 && (codes.get(0) ?? 0) === 0,
    JSON.stringify([...codes]),
  );
  const [client] = plane.clients().filter((each) => each.id.endsWith('#vm-1'));
  const listeners = client?.types.find((each) => each.typeUrl.endsWith('.Listener'));
  assert.ok(Number(listeners?.subscribed) <= 257, JSON.stringify(listeners));
  const grown = heldBytes() - before;
  assert.ok(grown < 32 * 1024 * 1024, `${grown} bytes more`);
  assert.match(await readFile(join(options.stateDir, 'interest.json'), 'utf8'), /\{"orders.shop.mesh.internal":\d+\}/);
  await until('a real name', () => resolverOf(running).resolve4(host('s9')));
});

test('an interest file that is damaged is said, and costs no address that is in use', { skip }, async (t) => {
  const { options, port } = await meshOfMany(t);
  const first = await runTestAgent(t, options);
  const [address = ''] = await until('a name', () => resolverOf(first).resolve4(host('orders')));
  await until('it on disk', async () => /LoadAssignment/.test(await readFile(join(options.stateDir, 'xds-state'), 'utf8')));
  await first.agent.drain();
  await writeFile(join(options.stateDir, 'interest.json'), '{"format":"isthmus-interest-v0","idleMs":{}}');
  const second = await runTestAgent(t, options);
  assert.ok(second.lines.some((line) => line.includes('what this machine called is refused')));
  assert.equal(await answer(address, port), 'orders');
});

test('discovery all: everything is known without a question', { skip }, async (t) => {
  const { options } = await meshOfMany(t, { discovery: 'all' });
  const running = await runTestAgent(t, options);
  await until('all services', () => running.agent.status().outbound.length === 201);
  assert.deepEqual([running.agent.status().discovery, hosts(running)], ['all', []]);
  assert.equal((await resolverOf(running).resolve4(host('s5'))).length, 1);
  await assert.rejects(resolverOf(running).resolve4(host('nobody')), { code: 'ENOTFOUND' });
});

test('explicit ports alone: the services that they name are known, and no other; without any, all', async (t) => {
  const local = await deadPort();
  const { plane, options, port } = await meshOfMany(t);
  const explicit = { loopbackAddresses: false, explicit: { [`${host('orders')}:${port}`]: local }, reservedPorts: [] };
  const named = await runTestAgent(t, { ...options, outbound: explicit });
  await until('an answer', () => answer('127.0.0.1', local));
  assert.deepEqual(
    named.agent.status().interest.map(({ host: name, why, state }) => [name, why, state]),
    [[host('orders'), 'configured', 'present']],
  );
  assert.deepEqual(await resolverOf(named).resolve4(host('orders')), ['127.0.0.1']);
  await assert.rejects(resolverOf(named).resolve4(host('s5')), { code: 'ENOTFOUND' });
  const none = { stateDir: await temporaryDir(t), token: await plane.token('web'), instance: 'vm-2' };
  const all = await runTestAgent(t, agentOptions(none));
  assert.equal(all.agent.status().discovery, 'all');
});
