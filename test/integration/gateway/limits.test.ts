import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Cluster, Endpoint, Protocol } from '../../../core/xds/gen/isthmus/native/v1/native.ts';
import type { ClusterTraffic } from '../../../core/xds/gen/isthmus/native/v1/traffic.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { call, host, type Node, Planes, put } from './planes.ts';

type Traffic = NonNullable<Parameters<typeof ClusterTraffic.fromPartial>[0]>;

function planesOf(t: TestContext): Planes {
  const planes = new Planes();
  onEnd(t, () => planes.close());
  return planes;
}

/** What a DestinationRule would say of the cluster. */
function use({ state }: Node, traffic: Traffic, protocol: Protocol = Protocol.HTTP): void {
  const [name = ''] = state.current.clusters.keys();
  const message = Cluster.fromPartial({ name, host, namespace: 'shop', service: 'orders', port: 80, protocol, traffic });
  const any = { typeUrl: nativeTypeUrls.cluster, value: Buffer.from(Cluster.encode(message).finish()) };
  const refused = state.apply({ typeUrl: any.typeUrl, changed: [{ name, version: 'traffic', any }], removed: [] });
  assert.deepEqual(refused, []);
}

const plainEndpoint = (port: number) =>
  Endpoint.fromPartial({ address: '127.0.0.1', port, weight: 1, cluster: 'east', instance: `i${port}`, runtime: 'vm' });

test('HTTP: two connections, one request waits for them, and one more is refused with UO', async (t) => {
  const planes = planesOf(t);
  const held: ServerResponse[] = [];
  const connections = new Set<Socket>();
  const { port } = await planes.app((request, response) => {
    connections.add(request.socket);
    held.push(response);
  });
  const caller = await planes.caller([plainEndpoint(port)]);
  use(caller.node, { connections: { maxConnections: 2, maxPendingRequests: 1 } });
  // One after the other: who waits for a connection to be opened is one who waits, too.
  const first = [call(caller.port)];
  await until('one request at the app', () => held.length === 1);
  first.push(call(caller.port));
  await until('two requests at the app', () => held.length === 2);
  const waiting = call(caller.port);
  const metric = () => caller.node.registry.metrics();
  await until('the third to wait', async () => /isthmus_upstream_overflow_total\{[^}]*limit="connections"\} 1/.test(await metric()));
  const refused = await call(caller.port);
  assert.deepEqual([refused.status, refused.headers['x-envoy-overloaded']], [503, 'true']);
  assert.match(refused.body, /reset reason: overflow/);
  assert.equal(held.length, 2);
  for (const response of held.splice(0)) response.end('done');
  assert.deepEqual(
    (await Promise.all(first)).map(({ status }) => status),
    [200, 200],
  );
  await until('the one that waited at the app', () => held.length === 1);
  held[0]?.end('done');
  assert.equal((await waiting).status, 200);
  assert.equal(connections.size, 2);
  assert.match(await metric(), /isthmus_upstream_overflow_total\{[^}]*limit="pending"\} 1/);
  const flags = caller.node.log.map((entry) => entry['response_flags']);
  assert.deepEqual(
    flags.filter((each) => each !== '-'),
    ['UO'],
  );
});

test('HTTP: a connection serves as many requests as it may', async (t) => {
  const planes = planesOf(t);
  const connections = new Set<Socket>();
  const { port } = await planes.app((request, response) => {
    connections.add(request.socket);
    response.end('ok');
  });
  const caller = await planes.caller([plainEndpoint(port)]);
  use(caller.node, { connections: { maxRequestsPerConnection: 2 } });
  for (let i = 0; i < 6; i++) assert.equal((await call(caller.port)).status, 200);
  assert.equal(connections.size, 3);
});

test('TCP: the connection beyond the limit is closed, and the next is served when one has ended', async (t) => {
  const planes = planesOf(t);
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.write('hello');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, () => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const caller = await planes.caller([plainEndpoint(port)], 'tcp');
  use(caller.node, { connections: { maxConnections: 1 } }, Protocol.TCP);
  const dial = () => {
    const socket = connect(caller.port, '127.0.0.1');
    socket.on('error', () => {});
    onEnd(t, () => void socket.destroy());
    return socket;
  };
  const one = dial();
  await once(one, 'data');
  const two = dial();
  await new Promise((resolve) => two.resume().once('close', resolve));
  assert.equal(accepted.length, 1);
  const entry = await until('its log entry', () => caller.node.log.find((each) => each['response_flags'] === 'UO'));
  assert.equal(entry['response_flags'], 'UO');
  one.destroy();
  await until('the first to be closed at the app', () => accepted[0]?.destroyed === true || accepted[0]?.readableEnded === true);
  accepted[0]?.destroy();
  await until('room for another', async () => {
    const socket = dial();
    return new Promise<boolean>((resolve) => socket.once('data', () => resolve(true)).once('close', () => resolve(false)));
  });
});

test('outlier detection: who answers 5xx five times in a row gets nothing, until its time is over', async (t) => {
  const planes = planesOf(t);
  const got = { bad: 0, good: 0 };
  const bad = await planes.app((_request, response) => {
    got.bad += 1;
    response.writeHead(500).end();
  });
  const good = await planes.app((_request, response) => {
    got.good += 1;
    response.end('ok');
  });
  const caller = await planes.caller([bad, good].map(({ port }) => plainEndpoint(port)));
  const outlier = { consecutive5xx: 5, intervalMs: 1_000, baseEjectionMs: 60_000, maxEjectionMs: 60_000, maxEjectionPercent: 100 };
  use(caller.node, { outlier } as Traffic);
  for (let i = 0; i < 30; i++) await call(caller.port);
  assert.deepEqual(got, { bad: 5, good: 25 });
  put(caller.node.state, { endpoints: [plainEndpoint(bad.port)] });
  assert.equal((await call(caller.port)).status, 500, 'the only one left is asked all the same');
});
