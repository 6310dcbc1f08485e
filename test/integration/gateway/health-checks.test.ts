import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp2, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Cluster, Endpoint, Protocol } from '../../../core/xds/gen/isthmus/native/v1/native.ts';
import { HealthCheck, HealthCheck_Type } from '../../../core/xds/gen/isthmus/native/v1/traffic.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { call, host, type Node, Planes } from './planes.ts';

const limits = { intervalMs: 50, timeoutMs: 2_000, healthyThreshold: 1, unhealthyThreshold: 1 };

function planesOf(t: TestContext): Planes {
  const planes = new Planes();
  onEnd(t, () => planes.close());
  return planes;
}

/** What a HealthCheckPolicy would say of the cluster. */
function check({ state }: Node, healthCheck: Parameters<typeof HealthCheck.fromPartial>[0]): void {
  const [name = ''] = state.current.clusters.keys();
  const traffic = { healthCheck: HealthCheck.fromPartial({ ...limits, ...healthCheck }) };
  const message = Cluster.fromPartial({ name, host, namespace: 'shop', service: 'orders', port: 80, protocol: Protocol.HTTP, traffic });
  const any = { typeUrl: nativeTypeUrls.cluster, value: Buffer.from(Cluster.encode(message).finish()) };
  assert.deepEqual(state.apply({ typeUrl: any.typeUrl, changed: [{ name, version: 'checked', any }], removed: [] }), []);
}

const plainEndpoint = (port: number) =>
  Endpoint.fromPartial({ address: '127.0.0.1', port, weight: 1, cluster: 'east', instance: `i${port}`, runtime: 'vm' });

const counted = async ({ registry }: Node, result: string): Promise<number> =>
  Number(
    new RegExp(`isthmus_upstream_health_checks_total\\{[^}]*result="${result}"[^}]*\\} (\\d+)`).exec(await registry.metrics())?.[1] ?? 0,
  );

test('HTTP: an application that says it is not ready gets nothing until it says that it is', async (t) => {
  const planes = planesOf(t);
  let ready = true;
  const seen = new Set<string>();
  const served = { one: 0, two: 0 };
  const app = (name: 'one' | 'two', isReady: () => boolean) =>
    planes.app((request, response) => {
      if (request.url === '/ready') {
        seen.add(`${request.headers.host} ${request.headers['user-agent']}`);
        response.writeHead(isReady() ? 204 : 500).end();
        return;
      }
      served[name] += 1;
      response.end(name);
    });
  const [one, two] = [await app('one', () => ready), await app('two', () => true)];
  // One of them behind mTLS: checks are proven like calls are.
  const end = await planes.end(one.port);
  const caller = await planes.caller([end.endpoint, plainEndpoint(two.port)]);
  check(caller.node, { type: HealthCheck_Type.HTTP, path: '/ready', expectedStatuses: [{ from: 204, to: 204 }] });
  await until('both to be asked', async () => (await counted(caller.node, 'good')) >= 4);
  for (let i = 0; i < 4; i++) await call(caller.port);
  assert.ok(served.one > 0 && served.two > 0, JSON.stringify(served));
  ready = false;
  await until('a bad answer', async () => (await counted(caller.node, 'bad')) >= 1);
  const before = served.one;
  for (let i = 0; i < 6; i++) assert.equal((await call(caller.port)).body, 'two');
  assert.equal(served.one, before);
  ready = true;
  await until('the first to serve again', async () => (await call(caller.port)).body === 'one');
  assert.deepEqual([...seen], [`${host} isthmus-health-check`]);
});

test('TCP: what takes no connection is not tried first', async (t) => {
  const planes = planesOf(t);
  const app = await planes.app((_request, response) => response.end('ok'));
  const caller = await planes.caller([plainEndpoint(await deadPort()), plainEndpoint(app.port)]);
  check(caller.node, { type: HealthCheck_Type.TCP });
  await until('a failed check', async () => (await counted(caller.node, 'failed')) >= 1);
  for (let i = 0; i < 4; i++) assert.equal((await call(caller.port)).status, 200);
  const attempts = caller.node.log.map((entry) => entry['upstream_request_attempt_count']);
  assert.deepEqual(attempts, [1, 1, 1, 1]);
});

test('gRPC: SERVING is good, NOT_SERVING and an unknown service are not', async (t) => {
  const planes = planesOf(t);
  let reply: { readonly status: number; readonly grpc: string } = { status: 1, grpc: '0' };
  const asked: string[] = [];
  const server: Http2Server = createHttp2();
  server.on('stream', (stream, headers) => {
    stream.on('data', (chunk: Buffer) => asked.push(`${headers[':path']} ${chunk.subarray(7).toString()}`));
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': reply.grpc }));
      stream.end(reply.grpc === '0' ? Buffer.from([0, 0, 0, 0, 2, 0x08, reply.status]) : undefined);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, () => new Promise<void>((resolve) => server.close(() => resolve())));
  const caller = await planes.caller([plainEndpoint((server.address() as AddressInfo).port)]);
  check(caller.node, { type: HealthCheck_Type.GRPC, service: 'shop.Orders' });
  await until('a good check', async () => (await counted(caller.node, 'good')) >= 2);
  assert.equal(await counted(caller.node, 'bad'), 0);
  assert.equal(asked[0], '/grpc.health.v1.Health/Check shop.Orders');
  reply = { status: 2, grpc: '0' };
  await until('NOT_SERVING', async () => (await counted(caller.node, 'bad')) >= 1);
  const bad = await counted(caller.node, 'bad');
  reply = { status: 0, grpc: '5' };
  await until('NOT_FOUND', async () => (await counted(caller.node, 'bad')) > bad + 1);
});
