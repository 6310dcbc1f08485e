import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type EchoReply, startEchoApp } from '../../../cli/demo/echo-app.ts';
import { native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { parseGatewayOptions } from '../../../gateway/main.ts';
import { agentOptions, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort, readAll, TestSockets } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { encoded, GatewaySite, sniOf } from './gateway-site.ts';

const call = async (port: number, init: RequestInit = {}): Promise<EchoReply> => {
  const response = await fetch(`http://127.0.0.1:${port}/hello`, init);
  assert.equal(response.status, 200);
  return (await response.json()) as EchoReply;
};

async function app(t: TestContext, name: string, port = 0) {
  const started = await startEchoApp(name, '127.0.0.1', port);
  t.after(() => started.close());
  return started;
}

async function vm(t: TestContext, site: GatewaySite, appPort: number, instance: string) {
  const services = [{ namespace: 'shop', name: 'orders', port: 80, appPort }];
  return runTestAgent(t, agentOptions({ stateDir: await temporaryDir(t), token: await site.plane.token('orders'), instance, services }));
}

test('a caller without a sidecar reaches a VM through two crossings: originate, then passthrough', async (t) => {
  const site = await GatewaySite.start(t);
  const orders = await app(t, 'orders');
  const { agent } = await vm(t, site, orders.port, 'vm-1');
  const { gateway, access, get } = await site.gateway({ token: await site.token() });
  const port = await deadPort();
  site.serve({
    passthrough: [agent.inbound.port],
    originate: [{ port, cidrs: ['127.0.0.0/8'] }],
    outbound: [site.behind(gateway.eastWest.port, '')],
  });
  const reply = await until('an answer', () => call(port));
  assert.deepEqual([reply.app, reply.principal], ['orders', 'spiffe://mesh.test/ns/isthmus-system/sa/gateway']);
  const known = await until('the registration', () => site.plane.plane.gateways.current?.find((g) => g.instance === 'gw-1' && g.healthy));
  assert.deepEqual([known.addresses, known.port, known.network, known.draining], [['127.0.0.1'], gateway.eastWest.port, 'net-a', false]);
  assert.equal((await get('/healthz/ready')).status, 200);
  const status = gateway.status();
  assert.deepEqual([status.ready, status.data.from, status.originate.open, status.routes], [true, 'control-plane', [port], 2]);
  assert.equal(status.identity?.spiffeId, 'spiffe://mesh.test/ns/isthmus-system/sa/gateway');
  const entry = await until('access log', () => access.find((e) => e['type'] === 'http' && e['response_code'] === 200));
  assert.deepEqual([entry['upstream_via_gateway'], entry['destination_principal']], [true, 'spiffe://mesh.test/ns/shop/sa/orders']);
  const metrics = (await get('/metrics')).body;
  assert.match(metrics, /istio_requests_total\{reporter="source"[^}]*response_code="200"[^}]*\} \d/);
  assert.match(metrics, /isthmus_certificate_expiry_timestamp_seconds\{kind="svid"\} \d{10}/);
  assert.doesNotMatch((await get('/v1/gateway/config')).body, /PRIVATE KEY/);
});

test('a service without a sidecar: the gateway is its mTLS end, and says who called', async (t) => {
  const site = await GatewaySite.start(t);
  const orders = await app(t, 'orders');
  const { gateway, access, get } = await site.gateway({ token: await site.token() });
  const port = await deadPort();
  const world = {
    terminate: [orders.port],
    originate: [{ port, cidrs: ['127.0.0.1/32'] }],
    outbound: [site.behind(gateway.eastWest.port, 'gateway')],
  };
  site.serve(world);
  const forged = { headers: { 'x-forwarded-client-cert': 'URI=spiffe://mesh.test/ns/x/sa/forged' } };
  const reply = await until('an answer', () => call(port, forged));
  assert.equal(reply.principal, 'spiffe://mesh.test/ns/isthmus-system/sa/gateway');
  const inbound = await until('inbound log', () =>
    access.find((e) => e['requested_server_name'] === sniOf('gateway') && e['response_code'] === 200),
  );
  assert.equal(inbound['source_principal'], 'spiffe://mesh.test/ns/isthmus-system/sa/gateway');
  const nobody = { name: 'shop/orders', rules: [] };
  site.serve({ ...world, extra: { [nativeTypeUrls.authz]: [encoded(native.Authz, 'shop/orders', nobody)] } });
  await until('a refusal', async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 403);
  site.serve({ ...world, originate: [{ port, cidrs: [] }] });
  // Answered 403 it was before, too: by the end of the mesh that lets nobody in.
  await until('default deny, also for a connection that stands', async () => {
    await (await fetch(`http://127.0.0.1:${port}/`)).text();
    return access.some((e) => e['response_code'] === 403 && e['response_code_details'] === 'source_not_allowed');
  });
  const sockets = new TestSockets();
  t.after(() => sockets.close());
  await until('no new connection', () =>
    sockets
      .connect(port)
      .then((socket) => {
        // Whoever is let in all the same gets an answer, and the connection ends.
        socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
        return readAll(socket);
      })
      .then(
        () => false,
        () => true,
      ),
  );
  assert.match((await get('/metrics')).body, /isthmus_connections_refused_total\{listener="originate\|\d+",reason="source-denied"\} \d/);
});

test('no idempotent request fails while another endpoint lives: app, agent or endpoint goes', async (t) => {
  const site = await GatewaySite.start(t);
  const [one, two] = [await app(t, 'one', await deadPort()), await app(t, 'two')];
  const [first, second] = [await vm(t, site, one.port, 'vm-1'), await vm(t, site, two.port, 'vm-2')];
  const { gateway } = await site.gateway({ token: await site.token() });
  const port = await deadPort();
  const world = { originate: [{ port, cidrs: ['127.0.0.0/8'] }], outbound: [site.behind(gateway.eastWest.port, '')] };
  site.serve({ ...world, passthrough: [first.agent.inbound.port, second.agent.inbound.port] });
  await until('an answer', () => call(port));
  let failures = 0;
  let calls = 0;
  const load = new AbortController();
  const callers = [0, 1, 2].map(async () => {
    while (!load.signal.aborted) {
      calls += 1;
      await call(port).catch(() => {
        failures += 1;
      });
    }
  });
  const more = async (n: number) => {
    const goal = calls + n;
    await until(`${n} more calls`, () => calls >= goal);
  };
  await more(50);
  await one.close();
  await more(100);
  const again = await startEchoApp('one', '127.0.0.1', one.port);
  t.after(() => again.close());
  await more(50);
  await second.agent.drain();
  await more(100);
  site.serve({ ...world, passthrough: [first.agent.inbound.port] });
  await more(50);
  load.abort();
  await Promise.all(callers);
  assert.equal(failures, 0, `of ${calls} calls`);
});

test('without its control plane: goes on, restarts from disk, and takes changes again when it is back', async (t) => {
  const site = await GatewaySite.start(t);
  const orders = await app(t, 'orders');
  const stateDir = await temporaryDir(t);
  const listen = { address: '127.0.0.1', port: await deadPort() };
  const port = await deadPort();
  const world = {
    terminate: [orders.port],
    originate: [{ port, cidrs: ['127.0.0.0/8'] }],
    outbound: [site.behind(listen.port, 'gateway')],
  };
  const first = await site.gateway({ token: await site.token(), stateDir, listen });
  site.serve(world);
  await until('an answer', () => call(port));
  await until('state on disk', async () =>
    (await import('../../../gateway/index.ts')).loadState(join(stateDir, 'state')).then((s) => s.resources.length >= 11),
  );
  await site.plane.stop();
  assert.equal((await call(port)).app, 'orders');
  await first.gateway.drain();
  const second = await site.gateway({ stateDir, listen });
  assert.equal((await call(port)).app, 'orders');
  assert.deepEqual([second.gateway.status().ready, second.gateway.status().data.from], [true, 'disk']);
  await site.plane.start();
  site.serve({ ...world, terminate: [(await app(t, 'other')).port] });
  await until('the change', async () => (await call(port)).app === 'other');
  assert.equal(second.gateway.status().data.from, 'control-plane');
  await second.gateway.drain();
  await writeFile(join(stateDir, 'state'), 'damaged');
  const third = await site.gateway({ stateDir, listen });
  assert.ok(third.lines.some((line) => line.includes('it is damaged')));
  await until('an answer', () => call(port));
});

test('one bad resource is refused with its reason, and blocks nothing else; the last good one stays', async (t) => {
  const site = await GatewaySite.start(t);
  const orders = await app(t, 'orders');
  const { gateway, get } = await site.gateway({ token: await site.token() });
  const port = await deadPort();
  const taken = await new TestSockets().serve(() => {});
  t.after(() => taken.server.close());
  const outbound = [site.behind(gateway.eastWest.port, 'gateway')];
  site.serve({ terminate: [orders.port], originate: [{ port, cidrs: ['127.0.0.0/8'] }], outbound });
  await until('an answer', () => call(port));
  const bad = encoded(native.Route, sniOf('gateway'), { name: sniOf('gateway'), mode: 0, clusterName: '' });
  const garbage = { name: sniOf('x'), version: '1', value: Buffer.from('not protobuf') };
  const listeners = [port, taken.port].map((each) => ({ port: each, cidrs: ['127.0.0.0/8'] }));
  site.serve({ terminate: [orders.port], originate: listeners, outbound, extra: { [nativeTypeUrls.route]: [bad, garbage] } });
  await until('the rejections', () => gateway.status().data.rejected.length === 2);
  const rejected = gateway.status().data.rejected.find((r) => r.name === sniOf('gateway'));
  assert.match(rejected?.reason ?? '', /clusterName: must not be empty; mode: must be passthrough or terminate/);
  const failed = await until('the taken port', () => gateway.status().originate.failed[0]);
  assert.equal(failed.port, taken.port);
  assert.equal((await call(port)).app, 'orders');
  assert.equal((await get('/v1/gateway')).status, 200);
});

test('a gateway port that another program holds opens once it is free, without a change of the mesh', async (t) => {
  const site = await GatewaySite.start(t);
  const orders = await app(t, 'orders');
  const { gateway } = await site.gateway({ token: await site.token() });
  const port = await deadPort();
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
  const outbound = [site.behind(gateway.eastWest.port, 'gateway')];
  site.serve({ terminate: [orders.port], originate: [{ port, cidrs: ['127.0.0.0/8'] }], outbound });
  await until('the port is reported', () => gateway.status().originate.failed.some((each) => each.port === port));
  await new Promise((resolve) => holder.close(resolve));
  assert.equal((await until('an answer', () => call(port))).app, 'orders');
  assert.deepEqual(gateway.status().originate.failed, []);
});

test('drain: says so, takes nothing new, lets what runs finish, ends', async (t) => {
  const site = await GatewaySite.start(t);
  const sockets = new TestSockets();
  t.after(() => sockets.close());
  const { port: slow } = await sockets.serve((socket) => socket.pipe(socket));
  // What runs has as long as the waits here may take.
  const { gateway, get } = await site.gateway({ token: await site.token(), drainMs: 20_000 });
  const port = await deadPort();
  site.serve({
    terminate: [slow],
    terminateProtocol: native.Protocol.TCP,
    originate: [{ port, cidrs: ['127.0.0.0/8'] }],
    outbound: [site.behind(gateway.eastWest.port, 'gateway')],
    extra: {
      [nativeTypeUrls.listener]: [
        encoded(native.Listener, `originate|${port}`, {
          name: `originate|${port}`,
          kind: {
            $case: 'originate',
            value: {
              port,
              protocol: native.Protocol.TCP,
              clusterName: 'outbound|80||orders.shop.mesh.internal',
              allowedCidrs: ['127.0.0.0/8'],
            },
          },
        }),
      ],
    },
  });
  // A port opens before all that it leads to is known.
  const running = await until('an echo', async () => {
    const socket = await sockets.connect(port);
    socket.write('before ');
    const [first] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    return String(first) === 'before ' ? socket : undefined;
  });
  await until('both crossings', () => gateway.status().connections === 2);
  // Who has not heard that it is registered says no farewell.
  await until('the registration', () => gateway.status().registration?.state === 'registered');
  const draining = gateway.drain();
  await until('draining at the control plane', () => site.plane.plane.gateways.current?.some((g) => g.draining));
  assert.deepEqual(await get('/healthz/ready').then((r) => [r.status, JSON.parse(r.body).reason]), [503, 'draining']);
  const knock = async () => {
    const socket = await sockets.connect(port);
    socket.end('knock');
    return readAll(socket);
  };
  await until('no new connections', () =>
    knock().then(
      () => false,
      () => true,
    ),
  );
  running.end('after');
  assert.equal((await readAll(running)).toString(), 'after');
  await draining;
  await gateway.ended;
});

test('options: all mistakes at once, and never the token', () => {
  const parsed = parseGatewayOptions({
    stateDir: '',
    token: 'secret-token',
    instance: 'a b',
    network: 'Net A',
    advertise: [],
    listen: { address: 'x', port: 70_000 },
    drainMs: 0,
    acceptProxyFrom: ['10.0.0.0/8', '10.0.0.0/33'],
    what: 1,
  });
  assert.ok(!parsed.ok);
  const text = parsed.violations.map((v) => `${v.path} ${v.message}`).join('\n');
  for (const path of [
    'stateDir',
    'instance',
    'network',
    'advertise',
    'listen.address',
    'listen.port',
    'drainMs',
    'acceptProxyFrom.1',
    'what',
  ])
    assert.match(text, new RegExp(path), path);
  assert.doesNotMatch(text, /secret-token/);
});

test('options: an ingress gateway is dialled by nobody in the mesh, and carried by our own proxy', () => {
  const parsed = parseGatewayOptions({
    kind: 'ingress',
    stateDir: '/s',
    instance: 'a',
    network: 'a',
    advertise: ['gw.example.org'],
    proxy: 'envoy',
    acceptProxyFrom: ['10.0.0.0/8'],
  });
  assert.ok(!parsed.ok);
  assert.deepEqual(
    parsed.violations.map((v) => v.path),
    ['advertise', 'proxy', 'acceptProxyFrom'],
  );
});
