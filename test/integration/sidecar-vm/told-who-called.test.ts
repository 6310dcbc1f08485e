import assert from 'node:assert/strict';
import { createServer as createHttpServer, type Server as HttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { native } from '../../../core/xds/index.ts';
import { AgentPlane, agentOptions, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { type ReadProxyHeader, readAttributes, readProxyHeader } from '../../support/proxy-header.ts';
import { until } from '../../support/until.ts';

/** An app that demands a PROXY header before whatever else it is told. */
async function startProxiedApp(t: TestContext, serve: (socket: Socket, header: ReadProxyHeader) => void) {
  const headers: ReadProxyHeader[] = [];
  const faults: unknown[] = [];
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', function take(chunk: Buffer) {
      bytes = Buffer.concat([bytes, chunk]);
      try {
        const header = readProxyHeader(bytes);
        if (header === undefined) return;
        headers.push(header);
        socket.off('data', take);
        socket.pause();
        if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
        serve(socket, header);
      } catch (error) {
        faults.push(error);
        socket.destroy();
      }
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onEnd(t, () => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, headers, faults };
}

interface Scene {
  readonly protocol: 'http' | 'tcp';
  readonly appPort: number;
  readonly proxyProtocol?: 'v1' | 'v2';
  readonly forwardClientCert?: 'sanitize_set' | 'sanitize';
}

async function callerOf(t: TestContext, { protocol, ...service }: Scene) {
  const plane = await AgentPlane.start(t);
  const health = { probe: { kind: 'tcp' as const }, intervalMs: 100, timeoutMs: 1_000 };
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, protocol, ...service, health }];
  const orders = await runTestAgent(t, agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), services }));
  const local = await deadPort();
  const outbound = { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: local } };
  const web = agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('web'), instance: 'vm-web', outbound });
  await runTestAgent(t, web);
  const wire = protocol === 'tcp' ? native.Protocol.TCP : native.Protocol.HTTP;
  plane.serve([{ name: 'orders', port: 8080, protocol: wire, endpoints: [orders.agent.inbound.port] }]);
  return { local, orders };
}

test('a byte stream begins with who called: its address, and by version 2 the identity it proved', async (t) => {
  for (const version of ['v1', 'v2'] as const) {
    const app = await startProxiedApp(t, (socket) => socket.pipe(socket));
    const { local, orders } = await callerOf(t, { proxyProtocol: version, protocol: 'tcp', appPort: app.port });
    const said = await until('an echo', () => exchange(local, 'what was said'));
    assert.equal(said, 'what was said', 'and nothing else');
    const header = app.headers.find(({ command }) => command === 'PROXY');
    assert.match(header?.source ?? '', /^127\.0\.0\.1 \d+$/);
    assert.equal(header?.destination, `127.0.0.1 ${orders.agent.inbound.port}`);
    await until('a check of its own', () => app.headers.some(({ command }) => command === 'LOCAL'));
    assert.equal(orders.agent.status().services[0]?.health, 'healthy');
    assert.deepEqual(app.faults, []);
    if (version === 'v1') continue;
    const tls = readAttributes(header?.attributes.get('20')?.subarray(5) ?? Buffer.alloc(0));
    assert.deepEqual([tls.get('21')?.toString(), tls.get('22')?.toString()], ['TLSv1.3', 'spiffe://mesh.test/ns/shop/sa/web']);
    assert.equal(header?.attributes.get('02')?.toString(), `outbound_.8080_._.${host('orders')}`);
  }
});

test('requests of two callers never share a connection to the app, and those of one do', async (t) => {
  const web: HttpServer = createHttpServer((request, response) => {
    const { remoteAddress } = request.socket;
    response.end(JSON.stringify({ by: sources.get(request.socket), remoteAddress, cert: request.headers['x-forwarded-client-cert'] }));
  });
  const sources = new WeakMap<Socket, string>();
  const app = await startProxiedApp(t, (socket, header) => {
    sources.set(socket, header.source ?? 'nobody');
    web.emit('connection', socket);
    socket.resume();
  });
  const { local } = await callerOf(t, { proxyProtocol: 'v2', protocol: 'http', appPort: app.port });
  await until('an answer', async () => (await fetch(`http://127.0.0.1:${local}/`)).status === 200);
  // An agent pools its callers, so each of its connections is a caller here.
  const replies = await Promise.all(Array.from({ length: 8 }, () => get(local)));
  for (let i = 0; i < 3; i++) replies.push(await get(local));
  const callers = app.headers.filter(({ command }) => command === 'PROXY').map(({ source }) => source ?? '');
  assert.equal(new Set(callers).size, callers.length, 'one connection for one caller');
  for (const { by } of replies) assert.ok(callers.includes(by));
  assert.ok(callers.length < 1 + replies.length, 'which serves it more than once');
  assert.match(replies[0]?.cert ?? '', /URI=spiffe:\/\/mesh\.test\/ns\/shop\/sa\/web/);
});

test('a service may ask not to be told who called: what callers say of it is taken away all the same', async (t) => {
  const app = createHttpServer((request, response) =>
    response.end(JSON.stringify({ cert: request.headers['x-forwarded-client-cert'] ?? '' })),
  );
  app.listen(0, '127.0.0.1');
  await new Promise((resolve) => app.once('listening', resolve));
  onEnd(t, () => new Promise((resolve) => app.close(resolve)));
  const appPort = (app.address() as AddressInfo).port;
  const said =
    /^By=spiffe:\/\/mesh\.test\/ns\/shop\/sa\/orders;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/mesh\.test\/ns\/shop\/sa\/web;DNS=/;
  for (const [forwardClientCert, expected] of [
    ['sanitize_set', said],
    ['sanitize', /^$/],
  ] as const) {
    const { local } = await callerOf(t, { protocol: 'http', appPort, forwardClientCert });
    assert.match((await until('an answer', () => get(local))).cert, expected);
  }
});

/** With a forged client certificate. */
function get(port: number): Promise<{ readonly by: string; readonly cert: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-forwarded-client-cert': 'By=spiffe://mesh.test/ns/shop/sa/orders;URI=spiffe://mesh.test/ns/shop/sa/admin' };
    const call = httpRequest({ host: '127.0.0.1', port, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      if (response.statusCode === 200) resolve(JSON.parse(Buffer.concat(chunks).toString()));
      else reject(new Error(`status ${response.statusCode}`));
    });
    call.on('error', reject);
    call.end();
  });
}

function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(text));
    let got = '';
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => (got === '' ? reject(new Error('nothing')) : resolve(got)));
  });
}
