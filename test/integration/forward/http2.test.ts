import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { host, rules, startApp, startSite, to } from './forward-site.ts';

const cluster = `outbound|80||${host}`;
const grpc = { 'content-type': 'application/grpc', te: 'trailers' };

describe('HTTP/2 is forwarded request by request', () => {
  test('requests of one connection go to every endpoint, by one connection each', async (t) => {
    const apps = await Promise.all([1, 2, 3].map((i) => http2App(t, (stream) => answer(stream, String(i)))));
    const site = await startSite(t, { protocol: 'http2', clusters: { [cluster]: apps.map(({ port }) => port) } });
    const caller = open(t, site.port);
    const bodies = await Promise.all(Array.from({ length: 30 }, () => ask(caller).then(({ body }) => body)));
    assert.deepEqual(new Set(bodies), new Set(['1', '2', '3']));
    assert.deepEqual(
      apps.map(({ connections }) => connections()),
      [1, 1, 1],
    );
    assert.equal(site.log[0]?.['protocol'], 'HTTP/2');
  });

  test('what a server refuses is sent elsewhere, whatever the method; what it resets is not', async (t) => {
    const code = { value: constants.NGHTTP2_REFUSED_STREAM };
    const bad = await http2App(t, (stream) => stream.close(code.value));
    const good = await http2App(t, (stream) => void stream.on('end', () => answer(stream, 'good')).resume());
    const site = await startSite(t, { protocol: 'http2', clusters: { [cluster]: [bad.port, good.port] } });
    const caller = open(t, site.port);
    for (let i = 0; i < 4; i++) assert.equal((await ask(caller, { ':method': 'POST' }, 'body')).body, 'good');
    code.value = constants.NGHTTP2_INTERNAL_ERROR;
    const said = new Set<number>();
    for (let i = 0; i < 4; i++) said.add((await ask(caller, { ':method': 'POST' }, 'body')).status);
    assert.deepEqual(said, new Set([503, 200]));
    assert.ok(site.log.some((entry) => entry['response_flags'] === 'UR'));
  });

  test('a server that says GOAWAY fails nobody: what runs ends, what comes goes by another connection', async (t) => {
    const release: (() => void)[] = [];
    const app = await http2App(t, (stream, headers) => {
      if (headers[':path'] === '/slow') release.push(() => answer(stream, 'slow'));
      else answer(stream, 'ok');
    });
    const site = await startSite(t, { protocol: 'http2', clusters: { [cluster]: [app.port] } });
    const caller = open(t, site.port);
    const slow = ask(caller, { ':path': '/slow' });
    await until('it runs', () => release.length === 1);
    for (let i = 1; i <= 5; i++) {
      app.goaway();
      assert.equal((await ask(caller, { ':method': 'POST' }, 'x')).status, 200);
      await until('another connection', () => app.connections() > i);
    }
    release[0]?.();
    assert.equal((await slow).body, 'slow');
  });

  test('gRPC is answered in its own words: trailers alone, and they are the end', async (t) => {
    const site = await startSite(t, { protocol: 'grpc', clusters: { [cluster]: [] } });
    const { status, headers, bare } = await ask(open(t, site.port), { ':method': 'POST', ...grpc });
    assert.deepEqual([status, headers['grpc-status'], headers['grpc-message'], bare], [200, '14', 'no healthy upstream', true]);
    const entry = await until('log', () => site.log[0]);
    assert.deepEqual([entry['grpc_status'], entry['response_flags'], entry['protocol']], [14, 'UH', 'HTTP/2']);
  });

  test('trailers come through, and their status is logged', async (t) => {
    const app = await http2App(t, (stream) => {
      stream.respond({ ':status': 200, ...grpc }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '9', 'grpc-message': 'no' }));
      stream.resume().on('end', () => stream.end('part'));
    });
    const site = await startSite(t, { protocol: 'grpc', clusters: { [cluster]: [app.port] } });
    const said = await ask(open(t, site.port), { ':method': 'POST', ...grpc }, 'x');
    assert.deepEqual([said.body, said.trailers['grpc-status'], said.trailers['grpc-message']], ['part', '9', 'no']);
    assert.equal((await until('log', () => site.log[0]))['grpc_status'], 9);
  });

  test('a call whose status the rule names is tried again', async (t) => {
    let asked = 0;
    const app = await http2App(t, (stream) => {
      asked += 1;
      stream.respond({ ':status': 200, ...grpc, 'grpc-status': asked < 3 ? '14' : '0' }, { endStream: true });
    });
    const retries = { attempts: 3, on: ['unavailable' as const], statusCodes: [], backoffMs: 1 };
    const site = await startSite(t, { protocol: 'grpc', clusters: { a: [app.port] }, routing: rules({ action: { ...to('a'), retries } }) });
    const { headers } = await ask(open(t, site.port), { ':method': 'POST', ...grpc });
    assert.deepEqual([headers['grpc-status'], asked], ['0', 3]);
  });

  test('versions meet: an HTTP/2 caller on a port of HTTP/1.1, and the other way round', async (t) => {
    const old = await startApp(t, (request, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.end(`${request.httpVersion} ${request.headers.host} ${request.headers.cookie}`);
    });
    const one = await startSite(t, { protocol: 'http', clusters: { [cluster]: [old.port] } });
    const said = await ask(open(t, one.port), { cookie: ['a=1', 'b=2'] });
    assert.deepEqual([said.body, said.headers['set-cookie']], [`1.1 ${host} a=1; b=2`, ['a=1', 'b=2']]);
    const modern = await http2App(t, (stream, headers) => answer(stream, `2 ${headers[':authority']} ${headers[':path']}`));
    const two = await startSite(t, { protocol: 'http2', clusters: { [cluster]: [modern.port] } });
    assert.equal((await two.call('/a?b')).body, `2 ${host} /a?b`);
    const traffic = { connections: { h2Upgrade: true } };
    const three = await startSite(t, { protocol: 'http', clusters: { [cluster]: { ports: [modern.port], traffic } } });
    assert.equal((await three.call('/c')).body, `2 ${host} /c`);
  });

  test('who opens streams only to reset them is cut off; who does so now and then is not', async (t) => {
    const app = await http2App(t, (stream) => answer(stream, 'ok'));
    const site = await startSite(t, { protocol: 'http2', clusters: { [cluster]: [app.port] } });
    const calm = open(t, site.port);
    for (let i = 0; i < 300; i++)
      if (i % 3 === 0) takeBack(calm);
      else await ask(calm);
    assert.equal((await ask(calm)).status, 200);
    const flood = open(t, site.port);
    const closed = once(flood, 'close');
    const more = setInterval(() => {
      for (let i = 0; i < 20 && !flood.closed && !flood.destroyed; i++) takeBack(flood);
    }, 5);
    await closed;
    clearInterval(more);
  });

  test('CONNECT is refused, and the connection goes on', async (t) => {
    const app = await http2App(t, (stream) => answer(stream, 'ok'));
    const site = await startSite(t, { protocol: 'http2', clusters: { [cluster]: [app.port] } });
    const caller = open(t, site.port);
    const stream = caller.request({ ':method': 'CONNECT', ':authority': host });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(headers[':status'], 405);
    stream.close();
    assert.equal((await ask(caller)).body, 'ok');
  });

  test('drain: GOAWAY first, and what runs is finished', async (t) => {
    const release: (() => void)[] = [];
    const app = await http2App(t, (stream) => void release.push(() => answer(stream, 'done')));
    const site = await startSite(t, { protocol: 'http2', clusters: { [cluster]: [app.port] } });
    const caller = open(t, site.port);
    const goaway = once(caller, 'goaway');
    const running = ask(caller);
    await until('it runs', () => release.length === 1);
    const drained = site.drain();
    await goaway;
    release[0]?.();
    assert.equal((await running).body, 'done');
    await drained;
  });
});

function answer(stream: ServerHttp2Stream, body: string): void {
  if (stream.destroyed) return;
  stream.respond({ ':status': 200 });
  stream.end(body);
}

async function http2App(t: TestContext, serve: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void) {
  const server: Http2Server = createServer();
  const sessions: import('node:http2').ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    serve(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, () => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, connections: () => sessions.length, goaway: () => sessions.at(-1)?.close() };
}

function open(t: TestContext, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  onEnd(t, () => session.destroy());
  return session;
}

function takeBack(session: ClientHttp2Session): void {
  const stream = session.request({ ':path': '/', ':authority': host });
  stream.on('error', () => {});
  stream.close(constants.NGHTTP2_CANCEL);
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, body?: string) {
  const stream = session.request({ ':path': '/', ':authority': host, ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  let said: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  let bare = false;
  const chunks: Buffer[] = [];
  stream.on('response', (got, flags) => {
    said = got;
    bare = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on('trailers', (got) => {
    trailers = got;
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => {});
  return new Promise<{ status: number; headers: Record<string, unknown>; trailers: Record<string, unknown>; bare: boolean; body: string }>(
    (resolve) =>
      stream.on('close', () =>
        resolve({ status: Number(said[':status'] ?? 0), headers: said, trailers, bare, body: Buffer.concat(chunks).toString() }),
      ),
  );
}
