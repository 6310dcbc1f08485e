import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { call, host, Planes, put } from './planes.ts';

const echoHeaders = (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body, trailers: request.trailers }));
  });
};

describe('HTTP from a caller to an app, over two mTLS ends', () => {
  let planes: Planes;
  beforeEach(() => {
    planes = new Planes();
  });
  afterEach(() => planes.close());

  test('the app sees who called, whatever the caller says of itself', async () => {
    const app = await planes.app(echoHeaders);
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    const forged = 'By=spiffe://mesh.test/ns/shop/sa/orders;URI=spiffe://mesh.test/ns/isthmus-system/sa/control';
    const answer = await call(caller.port, { headers: { 'x-forwarded-client-cert': forged, 'X-Isthmus-Local-Origin': 'UF' } });
    assert.equal(answer.status, 200);
    const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
    assert.match(
      headers['x-forwarded-client-cert'] ?? '',
      /^By=spiffe:\/\/mesh\.test\/ns\/shop\/sa\/orders;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/mesh\.test\/ns\/web\/sa\/front;DNS=west\.cluster\.mesh\.test$/,
    );
    assert.equal(headers['x-isthmus-local-origin'], undefined);
    assert.equal(headers['host'], host);
    assert.match(headers['x-request-id'] ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(headers['x-forwarded-for'], '127.0.0.1,127.0.0.1');
    const [entry] = await until('log', () => (end.node.log.length > 0 ? end.node.log : undefined));
    assert.equal(entry?.['source_principal'], 'spiffe://mesh.test/ns/web/sa/front');
    assert.equal(entry?.['request_id'], headers['x-request-id']);
    const metrics = await end.node.registry.metrics();
    assert.match(
      metrics,
      /istio_requests_total\{reporter="destination",source_workload="front",source_workload_namespace="web".*response_code="200"\} 1/,
    );
    assert.match(
      await caller.node.registry.metrics(),
      /istio_requests_total\{reporter="source".*destination_service="orders\.shop\.mesh\.internal".*\} 1/,
    );
  });

  test('bodies, trailers, chunked and with length; connections are used again', async () => {
    const sources = new Set<string>();
    const app = await planes.app((request, response) => {
      sources.add(`${request.socket.remotePort}`);
      response.setHeader('trailer', 'x-sum');
      response.write('part ');
      request.on('data', (chunk) => response.write(chunk));
      request.on('end', () => {
        response.addTrailers({ 'x-sum': request.trailers['x-sum'] ?? 'none' });
        response.end();
      });
    });
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    for (let i = 0; i < 5; i++) {
      const answer = await call(caller.port, { method: 'POST', body: 'x'.repeat(100_000) });
      assert.equal(answer.body, `part ${'x'.repeat(100_000)}`);
      assert.equal(answer.trailers['x-sum'], 'none');
    }
    assert.equal(sources.size, 1, 'five requests on one connection to the app');
    const socket = await planes.sockets.connect(caller.port);
    socket.write(
      `POST / HTTP/1.1\r\nhost: ${host}\r\ntransfer-encoding: chunked\r\nconnection: close\r\ntrailer: x-sum\r\nte: trailers\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 42\r\n\r\n`,
    );
    assert.match((await readAll(socket)).toString(), /x-sum: 42\r\n\r\n$/i);
  });

  test('an idempotent request is sent to another endpoint, whatever became of the first; a POST is not, once it was sent', async () => {
    let hits = 0;
    const breaking = await planes.app((request) => {
      hits += 1;
      request.socket.destroy();
    });
    const good = await planes.app(echoHeaders);
    const bad = await planes.end(breaking.port);
    const end = await planes.end(good.port);
    const caller = await planes.caller([bad.endpoint, end.endpoint]);
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      assert.equal((await call(caller.port, { method, ...(method === 'PUT' ? { body: 'kept' } : {}) })).status, 200, method);
    }
    assert.equal(hits, 2);
    const statuses = [];
    for (let i = 0; i < 2; i++) statuses.push((await call(caller.port, { method: 'POST', body: 'once' })).status);
    assert.deepEqual([statuses.sort(), hits], [[200, 503], 3], 'the app saw one POST, and its caller was told that it broke off');
  });

  test('an app that is down: its mesh end says so, and any request goes elsewhere', async () => {
    const down = await planes.app(echoHeaders);
    const good = await planes.app(echoHeaders);
    const dead = await planes.end(down.port);
    const end = await planes.end(good.port);
    const caller = await planes.caller([dead.endpoint, end.endpoint]);
    down.server.closeAllConnections();
    down.server.close();
    for (let i = 0; i < 10; i++) assert.equal((await call(caller.port, i % 2 === 0 ? { method: 'POST', body: 'b' } : {})).status, 200);
    put(caller.node.state, { endpoints: [dead.endpoint] });
    const answer = await call(caller.port);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['x-isthmus-local-origin'], undefined, 'a mark for the mesh alone');
    const entry = await until('log', () => dead.node.log.find((each) => each['response_code'] === 503));
    assert.equal(entry['response_flags'], 'UF');
  });

  test('an app cannot make the mesh retry', async () => {
    let hits = 0;
    const app = await planes.app((_request, response) => {
      hits += 1;
      response.writeHead(503, { 'x-isthmus-local-origin': 'UF' }).end('busy');
    });
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint, end.endpoint]);
    const answer = await call(caller.port, { method: 'POST' });
    assert.deepEqual([answer.status, answer.body, hits], [503, 'busy', 1]);
  });

  test('no endpoint, no cluster, nobody allowed', async () => {
    const app = await planes.app(echoHeaders);
    const end = await planes.end(app.port);
    const caller = await planes.caller([]);
    assert.deepEqual([(await call(caller.port)).status, caller.node.log.at(-1)?.['response_flags']], [503, 'UH']);
    put(caller.node.state, { endpoints: [end.endpoint] });
    put(end.node.state, {
      authz: {
        name: 'shop/orders',
        rules: [{ action: 1, name: 'only-ops', principals: ['*/sa/ops'], namespaces: [], clusters: [], also: [], condition: undefined }],
        guardedRules: [],
        conditionalRules: [],
        auditRules: [],
        tokens: [],
      },
    });
    const denied = await call(caller.port);
    assert.deepEqual([denied.status, denied.body], [403, 'RBAC: access denied']);
    const entry = await until('log', () => end.node.log.find((each) => each['response_code'] === 403));
    assert.equal(entry['response_code_details'], 'rbac_access_denied_matched_policy[none]');
  });

  test('requests that two hops could read differently are refused', async () => {
    let hits = 0;
    const app = await planes.app((request, response) => {
      hits += 1;
      echoHeaders(request, response);
    });
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    const smuggled = [
      `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n`,
      `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!`,
      `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
      `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n`,
      `POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`,
      `GET / HTTP/1.1\r\n\r\n`,
      `GET / HTTP/1.1\r\nhost: a\r\nx: a\nb: c\r\n folded: x\r\n\r\n`,
      `GET http://u@h/ HTTP/1.1\r\nhost: a\r\n\r\n`,
      `GET nowhere HTTP/1.1\r\nhost: a\r\n\r\n`,
      `CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n`,
      `GET / HTTP/1.1\r\nhost: a\r\n${'x-a: b\r\n'.repeat(200)}\r\n`,
      `GET / HTTP/1.1\r\nhost: a\r\nx-big: ${'b'.repeat(70_000)}\r\n\r\n`,
      'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n',
    ];
    for (const text of smuggled) {
      const socket = await planes.sockets.connect(caller.port);
      socket.write(text);
      const answer = (await readAll(socket)).toString();
      assert.match(answer, /^HTTP\/1\.1 (4\d\d|501|503) /, text.slice(0, 100));
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, `one answer and no second request: ${text.slice(0, 100)}`);
    }
    assert.equal(hits, 0);
  });

  test('WebSocket and 100-continue go through; another upgrade is ignored', async () => {
    const app = await planes.app(echoHeaders);
    app.server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      socket.pipe(socket);
    });
    let expected = 0;
    app.server.on('checkContinue', (request, response) => {
      expected += 1;
      response.writeContinue();
      echoHeaders(request, response);
    });
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    const socket = await planes.sockets.connect(caller.port);
    socket.write(`GET /chat HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nearly`);
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk;
    });
    await until('the echo of what came with the request', () => seen.endsWith('\r\n\r\nearly'));
    assert.match(seen, /^HTTP\/1\.1 101 /);
    socket.end(' late');
    await until('echo', () => seen.endsWith('early late'));
    const h2c = await planes.sockets.connect(caller.port);
    h2c.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n\r\n`);
    const plain = (await readAll(h2c)).toString();
    assert.match(plain, /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(plain, /http2-settings/i);
    const answer = await call(caller.port, { method: 'POST', headers: { expect: '100-continue' }, body: 'waited' });
    assert.deepEqual([JSON.parse(answer.body).body, expected], ['waited', 1]);
  });

  test('an answer that breaks off breaks off for the caller too', async () => {
    const app = await planes.app((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half', () => response.socket?.resetAndDestroy());
    });
    const end = await planes.end(app.port);
    const caller = await planes.caller([end.endpoint]);
    await assert.rejects(call(caller.port));
    const entry = await until('log', () => caller.node.log.find((each) => each['response_flags'] === 'UC'));
    assert.equal(entry['response_code'], 200);
  });
});
