import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, type TestContext, test } from 'node:test';
import { defaultLimits } from '../../../gateway/index.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { call, host, Planes, put } from './planes.ts';

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('byte streams and time over two mTLS ends', () => {
  let planes: Planes;
  beforeEach(() => {
    planes = new Planes();
  });
  afterEach(() => planes.close());

  test('HTTP/2 and gRPC go through as they are: streams, trailers, both directions at once', async () => {
    const app = createHttp2();
    app.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const end = await planes.end((app.address() as AddressInfo).port, 'grpc');
    const caller = await planes.caller([end.endpoint], 'grpc');
    const session = connectHttp2(`http://127.0.0.1:${caller.port}`);
    const results = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const sent = randomBytes(300_000);
        const stream = session.request({ ':method': 'POST', ':path': '/shop.Orders/List', te: 'trailers' });
        let trailers: Record<string, unknown> = {};
        stream.on('trailers', (each) => {
          trailers = each;
        });
        stream.end(sent);
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return digest(Buffer.concat(chunks)) === digest(sent) && trailers['grpc-status'] === '0';
      }),
    );
    session.close();
    app.close();
    assert.deepEqual(results, [true, true, true, true]);
  });

  for (const [protocol, headers] of [
    ['http', {}],
    ['http2', {}],
    ['grpc', { 'content-type': 'application/grpc', te: 'trailers' }],
  ] as const) {
    test(`${protocol}: the first request may be a stream that ends with nothing in it, while its connections are being opened`, async (t) => {
      const port = protocol === 'http' ? await http1App(planes) : await http2App(t);
      const end = await planes.end(port, protocol);
      const caller = await planes.caller([end.endpoint], protocol);
      const session = connectHttp2(`http://127.0.0.1:${caller.port}`);
      onEnd(t, () => session.destroy());
      // END_STREAM comes apart from the headers, so that a body is announced.
      const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': host, ...headers });
      let [status, trailers]: Record<string, unknown>[] = [{}, {}];
      stream.on('response', (said) => {
        status = said;
      });
      stream.on('trailers', (said) => {
        trailers = said;
      });
      stream.end();
      let body = '';
      for await (const chunk of stream) body += String(chunk);
      const saidTrailers = protocol === 'http' ? undefined : '0';
      assert.deepEqual([status?.[':status'], body, trailers?.['grpc-status']], [200, 'POST: 0 bytes', saidTrailers]);
      await until('one request at each end', () => caller.node.log.length === 1 && end.node.log.length === 1);
    });
  }

  test('a renewed SVID and changed endpoints touch no running stream; new ones use them', async () => {
    const app = await planes.sockets.serve((socket) => socket.pipe(socket));
    const end = await planes.end(app.port, 'tcp');
    const caller = await planes.caller([end.endpoint], 'tcp');
    const socket = await planes.sockets.connect(caller.port);
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk;
    });
    // Taken before anything changes: an engine may accept on a thread of its own.
    socket.write('hello ');
    await until('its beginning', () => got === 'hello ');
    for (let i = 0; i < 10; i++) {
      socket.write(`${i} `);
      end.node.source.set(planes.pki.svid('east', 'shop', 'orders'));
      caller.node.source.set(planes.pki.svid('west', 'web', 'front'));
      put(caller.node.state, { endpoints: i % 2 === 0 ? [] : [end.endpoint] });
      await until(`echo ${i}`, () => got.endsWith(`${i} `));
    }
    const another = await planes.sockets.connect(caller.port);
    another.end('new');
    assert.equal((await readAll(another)).toString(), 'new');
    socket.destroy();
  });

  test('a caller that goes away takes its request with it; who never answers is given up', async () => {
    let aborted = 0;
    let seen = 0;
    const app = await planes.app((request) => {
      seen += 1;
      request.on('close', () => {
        aborted += 1;
      });
    });
    const end = await planes.end(app.port);
    const impatient = planes.node('west', 'web', 'front', { ...defaultLimits, http: { ...defaultLimits.http, idleTimeoutMs: 2_000 } });
    const caller = await planes.caller([end.endpoint], 'http', impatient);
    const answer = await call(caller.port);
    assert.deepEqual([answer.status, answer.body], [504, 'stream timeout']);
    assert.equal(impatient.log.at(-1)?.['response_flags'], 'SI');
    await until('the app to notice', () => aborted === 1);
    const patient = await planes.caller([end.endpoint], 'http', planes.node('west', 'web', 'front'));
    const socket = await planes.sockets.connect(patient.port);
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    await until('the request at the app', () => seen === 2);
    socket.destroy();
    const entry = await until('log', () => patient.node.log.find((e) => e['response_flags'] === 'DC'));
    assert.equal(entry['response_code'], 0);
    await until('the app to notice', () => aborted === 2);
  });

  test('slow headers and idle connections are closed at their limits', async () => {
    const app = await planes.app((_request, response) => response.end('ok'));
    const end = await planes.end(app.port);
    const limits = { ...defaultLimits, http: { ...defaultLimits.http, headersTimeoutMs: 2_000, keepAliveTimeoutMs: 300 } };
    const caller = await planes.caller([end.endpoint], 'http', planes.node('west', 'web', 'front', limits));
    const slow = await planes.sockets.connect(caller.port);
    slow.write('GET / HTTP/1.1\r\nhost: a\r\n');
    const drip = setInterval(() => slow.write('x-a: b\r\n'), 50);
    await assert.rejects(readAll(slow));
    clearInterval(drip);
    const idle = await planes.sockets.connect(caller.port);
    idle.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    let got = '';
    idle.on('data', (chunk) => {
      got += chunk;
    });
    await until('answer', () => got.endsWith('ok'));
    await until('the end', () => idle.readableEnded || idle.destroyed);
  });

  test('a large upload and download, each held back by its reader', async () => {
    const app = await planes.app((request, response) => request.pipe(response));
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    const body = randomBytes(8_000_000);
    const response = await fetch(`http://127.0.0.1:${caller.port}/`, { method: 'PUT', body });
    assert.equal(digest(Buffer.from(await response.arrayBuffer())), digest(body));
  });

  test('drain: the answer under way is finished and says that the connection ends', async () => {
    let release: (() => void) | undefined;
    const app = await planes.app((_request, response) => {
      release = () => response.end('done');
    });
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    const answer = call(caller.port, { headers: { connection: 'keep-alive' } });
    await until('the request at the app', () => release !== undefined);
    const drained = Promise.all([caller.outbound.drain(5_000), end.inbound.drain(5_000)]);
    release?.();
    assert.deepEqual([(await answer).body, (await answer).headers['connection']], ['done', 'close']);
    await drained;
    await assert.rejects(call(caller.port));
  });
});

/** Answers once it has the whole of a request. */
async function http1App(planes: Planes): Promise<number> {
  const { port } = await planes.app((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.end(`${request.method}: ${bytes} bytes`));
  });
  return port;
}

/** Answers once it has the whole of a request, with the trailers of gRPC. */
async function http2App(t: TestContext): Promise<number> {
  const app = createHttp2();
  app.on('stream', (stream, headers) => {
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('end', () => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.end(`${headers[':method']}: ${bytes} bytes`);
    });
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  onEnd(t, () => app.close());
  return (app.address() as AddressInfo).port;
}
