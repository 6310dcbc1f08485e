import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type EchoReply, startEchoApp } from '../../../cli/demo/echo-app.ts';
import { AgentPlane, agentOptions, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort, TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const quick = { probe: { kind: 'tcp' as const }, intervalMs: 50, timeoutMs: 500 };

/** A VM with `orders` in front of an echo app, and one with `web` that may call it on a local port. */
async function ordersAndWeb(t: TestContext, limits: { readonly maxConnections?: number } = {}) {
  const plane = await AgentPlane.start(t);
  // Stopped, and started again there.
  const app = await startEchoApp('orders', '127.0.0.1', await deadPort());
  onEnd(t, () => app.close());
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, appPort: app.port, health: quick }];
  const orders = await runTestAgent(
    t,
    agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), instance: 'vm-orders', services }),
  );
  const local = await deadPort();
  const web = await runTestAgent(
    t,
    agentOptions({
      stateDir: await temporaryDir(t),
      token: await plane.token('web'),
      instance: 'vm-web',
      outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: local } },
      ...limits,
    }),
  );
  plane.serve([{ name: 'orders', port: 8080, endpoints: [orders.agent.inbound.port] }]);
  return { plane, app, orders, web, local };
}

const call = async (port: number): Promise<EchoReply> => (await (await fetch(`http://127.0.0.1:${port}/hello`)).json()) as EchoReply;

test('a joined VM is reached over mTLS by name, and its app is told who called', async (t) => {
  const { plane, orders, web, local } = await ordersAndWeb(t);
  const reply = await until('an answer', () => call(local));
  assert.deepEqual([reply.app, reply.path, reply.principal], ['orders', '/hello', 'spiffe://mesh.test/ns/shop/sa/web']);
  await until('health to arrive', async () => (await plane.healthOf('vm-orders')) === true);
  const record = await plane.registered('vm-orders');
  assert.deepEqual([record?.addresses, record?.inboundPort, record?.network], [['127.0.0.1'], orders.agent.inbound.port, 'net-a']);
  const entry = await until('an access log entry', () => orders.access.find((e) => e['path'] === '/hello'));
  assert.deepEqual(
    [entry['source_principal'], entry['destination_principal'], entry['response_code']],
    ['spiffe://mesh.test/ns/shop/sa/web', 'spiffe://mesh.test/ns/shop/sa/orders', 200],
  );
  await until(
    'both ready',
    async () => (await orders.get('/healthz/ready')).status === 200 && (await web.get('/healthz/ready')).status === 200,
  );
  const status = orders.agent.status();
  assert.deepEqual(
    status.stages.map((s) => [s.stage, s.ok]),
    [
      ['attested', true],
      ['registered', true],
      ['synced', true],
      ['healthy', true],
    ],
  );
  assert.equal(status.data.from, 'control-plane');
  const metrics = (await orders.get('/metrics')).body;
  for (const line of [
    /istio_requests_total\{[^}]*source_principal="spiffe:\/\/mesh.test\/ns\/shop\/sa\/web"[^}]*\} 1/,
    /isthmus_certificate_expiry_timestamp_seconds\{[^}]*\} \d{10}/,
    /isthmus_agent_stage\{stage="registered"\} 1/,
    /isthmus_agent_service_healthy\{namespace="shop",service="orders"\} 1/,
  ])
    assert.match(metrics, line);
  assert.deepEqual(web.agent.status().outbound, [
    { host: host('orders'), address: '127.0.0.1', port: local, protocol: 'http', endpoints: 1 },
  ]);
});

test('who is not allowed gets 403 and never reaches the app', async (t) => {
  const { plane, orders, local } = await ordersAndWeb(t);
  plane.serve([{ name: 'orders', port: 8080, endpoints: [orders.agent.inbound.port], principals: ['mesh.test/ns/shop/sa/somebody-else'] }]);
  await until('a refusal', async () => (await fetch(`http://127.0.0.1:${local}/`)).status === 403);
});

test('no more connections are open in one direction than it is told; whoever is served stays', async (t) => {
  const { orders, web, local } = await ordersAndWeb(t, { maxConnections: 2 });
  await until('an answer', () => call(local));
  const sockets = new TestSockets();
  onEnd(t, async () => sockets.close());
  let answers = '';
  // Of the two places one may be that of the call above. Who is refused may hear of that before it hears that it is connected.
  const callers = Array.from({ length: 3 }, () => sockets.track(connect(local, '127.0.0.1')));
  for (const caller of callers) caller.on('data', (chunk) => (answers += chunk));
  await until('one to be refused', () => callers.some((caller) => caller.closed));
  const troubles = /isthmus_engine_troubles_total\{[^}]*what="too-many-connections"[^}]*\} [1-9]/;
  await until('its count', async () => troubles.test((await web.get('/metrics')).body));
  assert.doesNotMatch((await orders.get('/metrics')).body, troubles);
  for (const caller of callers) caller.write(`GET / HTTP/1.1\r\nhost: ${host('orders')}\r\n\r\n`);
  await until('whoever was taken to be served', () => answers.startsWith('HTTP/1.1 200 '));
});

test('an app that dies is reported at once, found by traffic too, and comes back when it answers again', async (t) => {
  const { plane, app, orders, local } = await ordersAndWeb(t);
  await until('an answer', () => call(local));
  await until('a healthy registration', async () => (await plane.healthOf('vm-orders')) === true);
  await app.close();
  await until('an unhealthy registration', async () => (await plane.healthOf('vm-orders')) === false);
  assert.match((await plane.registered('vm-orders'))?.services[0]?.reason ?? '', /ECONNREFUSED/);
  const healthy = orders.agent.status().stages.find((s) => s.stage === 'healthy');
  assert.deepEqual([healthy?.ok, /shop\/orders: .*ECONNREFUSED/.test(healthy?.reason ?? '')], [false, true]);
  // Only the control plane takes it out: who still comes is told by the mTLS end that the app is gone.
  assert.equal((await fetch(`http://127.0.0.1:${local}/`)).status, 503);
  const again = await startEchoApp('orders', '127.0.0.1', app.port);
  onEnd(t, () => again.close());
  await until('a healthy registration', async () => (await plane.healthOf('vm-orders')) === true);
  assert.equal((await until('an answer', () => call(local))).app, 'orders');
});

test('real traffic that finds the app gone asks for a check long before the next one is due', async (t) => {
  const plane = await AgentPlane.start(t);
  const app = await startEchoApp('orders');
  const health = { probe: { kind: 'tcp' as const }, intervalMs: 3_600_000 };
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, appPort: app.port, health }];
  const local = await deadPort();
  const { agent } = await runTestAgent(
    t,
    agentOptions({
      stateDir: await temporaryDir(t),
      token: await plane.token('orders'),
      services,
      outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: local } },
    }),
  );
  plane.serve([{ name: 'orders', port: 8080, endpoints: [agent.inbound.port] }]);
  await until('an answer', () => call(local));
  await until('a healthy registration', async () => (await plane.healthOf('vm-1')) === true);
  await app.close();
  await until('an unhealthy registration', async () => {
    await fetch(`http://127.0.0.1:${local}/`).then((r) => r.text());
    return (await plane.healthOf('vm-1')) === false;
  });
});

test('names of the mesh resolve to loopback addresses that lead there; the app keeps its ports, and is told so', async (t) => {
  if (process.platform !== 'linux') return t.skip('127.64.0.0/10 is loopback without further ado on Linux alone');
  const plane = await AgentPlane.start(t);
  const app = await startEchoApp('orders', '0.0.0.0');
  onEnd(t, () => app.close());
  const port = await deadPort();
  const reserved = await deadPort();
  const { agent, get } = await runTestAgent(
    t,
    agentOptions({
      stateDir: await temporaryDir(t),
      token: await plane.token('orders'),
      services: [{ namespace: 'shop', name: 'orders', port, appPort: app.port, health: quick }],
      outbound: { loopbackAddresses: true, reservedPorts: [reserved] },
    }),
  );
  plane.serve([
    { name: 'orders', port, endpoints: [agent.inbound.port] },
    { name: 'clash', port: app.port },
    { name: 'kept', port: reserved },
  ]);
  // It learns how fast this server is, and then waits 250 ms at first.
  const resolver = new Resolver({ timeout: 2_000, tries: 4 });
  resolver.setServers([`127.0.0.1:${agent.dns.port}`]);
  const [address = ''] = await until('a name', () => resolver.resolve4(host('orders')));
  assert.match(address, /^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./);
  assert.deepEqual(await resolver.resolve4('orders.shop.svc.clusterset.local'), [address]);
  await assert.rejects(resolver.resolve4('nobody.shop.mesh.internal'), { code: 'ENOTFOUND' });
  await assert.rejects(resolver.resolve4('example.test'), { code: 'EREFUSED' });
  const reply = await until('an answer', async () => (await (await fetch(`http://${address}:${port}/`)).json()) as EchoReply);
  assert.equal(reply.principal, 'spiffe://mesh.test/ns/shop/sa/orders');
  for (const name of ['clash', 'kept']) await until('a name whose port is taken', () => resolver.resolve4(host(name)));
  const { taken } = agent.status();
  assert.deepEqual(new Set(taken.map((each) => each.port)), new Set([app.port, reserved]));
  for (const each of taken) assert.match(each.reason, new RegExp(`--outbound ${each.host}:${each.port}=LOCAL_PORT`));
  assert.match(
    (await get('/metrics')).body,
    new RegExp(`isthmus_agent_port_taken\\{host="clash.shop.mesh.internal",port="${app.port}"\\} 1`),
  );
});
