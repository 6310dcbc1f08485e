import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { until } from '../../support/until.ts';
import { host, rules, startApp, startSite, to } from './forward-site.ts';

/** RFC 9113 §6: frame types, flags and error codes, written by hand because Node's own client sends none of this. */
const [data, headers, rstStream, settings] = [0, 1, 3, 4];
const [endStream, endHeaders, ack] = [1, 4, 1];
const [noError, cancel] = [0, 8];

function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
/** HPACK: of the static table, and `:authority: x` as a literal. */
const requestHeaders = (method: 'GET' | 'POST') =>
  Buffer.concat([Buffer.from([method === 'GET' ? 0x82 : 0x83, 0x86, 0x84, 0x41, 1]), Buffer.from('x')]);
const status200 = Buffer.from([0x88]);
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A caller that has said hello and been greeted. */
async function rawCaller(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(Buffer.concat([preface, frame(settings, 0, 0)]));
  await once(socket, 'data');
  socket.on('data', () => {});
  socket.write(frame(settings, ack, 0));
  return socket;
}

/** An HTTP/2 app that does `answer` at the headers of each request, over frames. */
async function rawApp(t: TestContext, answer: (socket: Socket, streamId: number) => void): Promise<number> {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(frame(settings, 0, 0));
    let unread = Buffer.alloc(0);
    let skip = preface.length;
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk]);
      if (unread.length < skip) return;
      unread = unread.subarray(skip);
      skip = 0;
      while (unread.length >= 9 && unread.length >= 9 + unread.readUIntBE(0, 3)) {
        const [type, flags, streamId] = [unread[3], unread[4] ?? 0, unread.readUInt32BE(5)];
        unread = unread.subarray(9 + unread.readUIntBE(0, 3));
        if (type === settings && (flags & ack) === 0) socket.write(frame(settings, ack, 0));
        if (type === headers) answer(socket, streamId);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function http2App(t: TestContext, serve: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    serve(stream);
  });
  server.on('session', (session) => t.after(() => session.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What a caller over HTTP/1.1 gets: `broken` where the message was not whole. */
function get(port: number): Promise<string> {
  return new Promise((resolve) => {
    const asked = request({ port, host: '127.0.0.1', headers: { host }, agent: false });
    asked.on('error', (error) => resolve(error.message));
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += String(chunk);
      });
      response.on('error', () => {});
      response.on('close', () => resolve(`${response.statusCode} ${body} ${response.complete ? 'whole' : 'broken'}`));
    });
    asked.end();
  });
}

for (const [name, code] of [
  ['NO_ERROR', noError],
  ['CANCEL', cancel],
] as const) {
  test(`an upload that its caller resets with ${name} is never whole to an app, or to a mirror`, async (t) => {
    const seen: Record<string, string[]> = { app: [], copy: [] };
    const listen = (to: string) =>
      startApp(t, (asked, answer) => {
        asked.on('error', () => {});
        asked.on('data', (chunk: Buffer) => seen[to]?.push(String(chunk)));
        asked.on('end', () => {
          seen[to]?.push('whole');
          answer.end();
        });
        asked.on('aborted', () => seen[to]?.push('aborted'));
      });
    const [app, copy] = [await listen('app'), await listen('copy')];
    const mirrors = [{ destination: { cluster: 'copy' }, percent: 100 }];
    const site = await startSite(t, {
      clusters: { a: [app.port], copy: [copy.port] },
      routing: rules({ action: { ...to('a'), mirrors } }),
    });
    const caller = await rawCaller(t, site.port);
    caller.write(Buffer.concat([frame(headers, endHeaders, 1, requestHeaders('POST')), frame(data, 0, 1, Buffer.from('a half'))]));
    await until('the app has the first half', () => seen['app']?.length === 1);
    caller.write(frame(rstStream, 0, 1, uint32(code)));
    await until('the app knows how it ended', () => seen['app']?.length === 2);
    assert.deepEqual(seen['app'], ['a half', 'aborted']);
    assert.ok(!seen['copy']?.includes('whole'));
    await until('it is logged', () => site.log.length === 1);
    assert.deepEqual(site.log[0]?.['response_flags'], 'DC');
  });

  test(`an answer that is reset with ${name} in its middle is broken to the caller`, async (t) => {
    const port = await rawApp(t, (socket, id) => {
      socket.write(Buffer.concat([frame(headers, endHeaders, id, status200), frame(data, 0, id, Buffer.from('half'))]));
      socket.write(frame(rstStream, 0, id, uint32(code)));
    });
    const site = await startSite(t, { protocol: 'http2', clusters: { a: [port] }, routing: rules({ action: to('a') }) });
    assert.match(await get(site.port), /broken|hang up|ECONNRESET/);
    await until('it is logged', () => site.log.length === 1);
    assert.match(String(site.log[0]?.['response_flags']), /UC|UR/);
  });
}

test('an answer that is whole stays so when its stream is reset with NO_ERROR, and the connection half closed, right after it', async (t) => {
  const port = await rawApp(t, (socket, id) => {
    socket.end(Buffer.concat([frame(headers, endHeaders, id, status200), frame(data, endStream, id, Buffer.from('all'))]));
  });
  const site = await startSite(t, { protocol: 'http2', clusters: { a: [port] }, routing: rules({ action: to('a') }) });
  assert.equal(await get(site.port), '200 all whole');
  assert.equal(await get(site.port), '200 all whole');
});

test('an app that closes its HTTP/2 connection without a word is noticed at once: before an answer, in one, and after', async (t) => {
  let when: 'before' | 'in the middle' | 'after' = 'before';
  const port = await rawApp(t, (socket, id) => {
    if (when === 'before') return void socket.end();
    const begun = Buffer.concat([frame(headers, endHeaders, id, status200), frame(data, 0, id, Buffer.from('half'))]);
    if (when === 'in the middle') return void socket.end(begun);
    socket.write(Buffer.concat([begun, frame(data, endStream, id)]));
    socket.end();
  });
  const site = await startSite(t, { protocol: 'http2', clusters: { a: [port] }, routing: rules({ action: to('a') }) });
  assert.match(await get(site.port), /^503 /);
  when = 'in the middle';
  assert.match(await get(site.port), /broken|hang up|ECONNRESET/);
  when = 'after';
  for (let i = 0; i < 3; i++) assert.equal(await get(site.port), '200 half whole');
});

test('the streams of an HTTP/2 caller that has died end at the app', async (t) => {
  const states: string[] = [];
  const port = await http2App(t, (stream) => {
    stream.respond({ ':status': 200 });
    stream.write('begun');
    states.push('open');
    stream.on('close', () => states.push('closed'));
  });
  const site = await startSite(t, { protocol: 'http2', clusters: { a: [port] }, routing: rules({ action: to('a') }) });
  const caller = await rawCaller(t, site.port);
  caller.write(frame(headers, endHeaders | endStream, 1, requestHeaders('GET')));
  await until('the app has it', () => states.length === 1);
  // As the kernel does for a process that was killed.
  caller.destroy();
  await until('the stream has ended at the app', () => states.length === 2);
  await until('it is logged', () => site.log.length === 1);
});

test('the time of a try is over with the head of its answer, whenever the request ends', async (t) => {
  const app = await startApp(t, (asked, answer) => {
    answer.write('begun ');
    asked.resume();
    asked.on('end', () => void setTimeout(() => answer.end('done'), 500));
  });
  const retries = { attempts: 2, on: ['5xx' as const], statusCodes: [], perTryTimeoutMs: 100 };
  const site = await startSite(t, { clusters: { a: [app.port] }, routing: rules({ action: { ...to('a'), retries } }) });
  const asked = request({ port: site.port, host: '127.0.0.1', method: 'POST', headers: { host }, agent: false });
  asked.write('x');
  const [response] = await once(asked, 'response');
  asked.end();
  let body = '';
  for await (const chunk of response) body += String(chunk);
  assert.equal(body, 'begun done');
});

test("a route's timeout counts from when the request is whole, also while it waits for a connection", async (t) => {
  const held: (() => void)[] = [];
  const app = await startApp(t, (_asked, answer) => void held.push(() => answer.end()));
  const site = await startSite(t, {
    clusters: { a: { ports: [app.port], traffic: { connections: { maxConnections: 1 } } } },
    routing: rules(
      { matches: [{ headers: [], query: [], sourceLabels: {}, path: { type: 'exact', value: '/hold' } }], action: to('a') },
      { action: { ...to('a'), timeoutMs: 200 } },
    ),
  });
  const holds = site.call('/hold');
  await until('the connection is taken', () => held.length === 1);
  const { status } = await site.call('/');
  assert.equal(status, 504);
  assert.equal(held.length, 1);
  held[0]?.();
  await holds;
});
