import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import type { ClusterRef, HttpRule, RetryPolicy } from '../../../core/traffic/index.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { rules, startApp, startEcho, startSite, to } from './forward-site.ts';

const policy = (more: Partial<RetryPolicy>): RetryPolicy => ({ attempts: 2, on: [], statusCodes: [], backoffMs: 1, ...more });

describe('HTTP is tried again, and given up, as its rule says', () => {
  test('each condition retries what it names and nothing else; the last answer is passed on', async (t) => {
    const cases: readonly [on: RetryPolicy['on'], status: number, hits: number][] = [
      [['5xx'], 500, 3],
      [['gateway-error'], 500, 1],
      [['gateway-error'], 503, 3],
      [['retriable-4xx'], 409, 3],
      [['retriable-4xx'], 404, 1],
      [['retriable-status-codes'], 418, 3],
      [['retriable-status-codes'], 429, 1],
      [['connect-failure', 'refused-stream', 'reset'], 503, 1],
    ];
    for (const [on, status, expected] of cases) {
      let hits = 0;
      const app = await startApp(t, (_request, response) => {
        hits += 1;
        response.writeHead(status).end('no');
      });
      const action = { ...to('a'), retries: policy({ on, statusCodes: [418] }) };
      const site = await startSite(t, { clusters: { a: [app.port] }, routing: rules({ action }) });
      const answer = await site.call('/', { method: 'POST', body: 'x' });
      assert.deepEqual([answer.status, answer.body, hits], [status, 'no', expected], `${on} ${status}`);
      const entry = await until('log', () => site.log.at(-1));
      assert.deepEqual([entry['response_flags'], entry['upstream_request_attempt_count']], [expected > 1 ? 'URX' : '-', expected]);
    }
  });

  test('gRPC statuses of answers without a body', async (t) => {
    let hits = 0;
    const app = await startApp(t, (_request, response) => {
      hits += 1;
      response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': hits < 3 ? '14' : '0' }).end();
    });
    const action = { ...to('a'), retries: policy({ on: ['unavailable'] }) };
    const site = await startSite(t, { clusters: { a: [app.port] }, routing: rules({ action }) });
    const answer = await site.call('/', { method: 'POST', headers: { 'content-type': 'application/grpc' } });
    assert.deepEqual([answer.headers['grpc-status'], hits], ['0', 3]);
  });

  test('a later try goes to another endpoint, with the whole body', async (t) => {
    const bad = await startApp(t, (request) => request.socket.destroy());
    const good = await startEcho(t, 'good');
    const action = { ...to('a'), retries: policy({ on: ['reset'] }) };
    const site = await startSite(t, { clusters: { a: [bad.port, good.port] }, routing: rules({ action }) });
    for (let i = 0; i < 4; i++) {
      const answer = await site.call('/', { method: 'POST', body: 'whole' });
      assert.deepEqual([answer.status, answer.seen.body], [200, 'whole']);
    }
  });

  test('without retries a lone endpoint that breaks off is asked again for what may be repeated, one that cannot be reached is not', async (t) => {
    let hits = 0;
    let bad = 1;
    const app = await startApp(t, (request, response) => {
      hits += 1;
      if (hits > bad) response.end('well');
      else request.socket.destroy();
    });
    const site = await startSite(t, { clusters: { a: [app.port] }, routing: rules({ action: to('a') }) });
    const asked = async (method: string, failing: number) => {
      [hits, bad] = [0, failing];
      return [(await site.call('/', { method })).status, hits];
    };
    // First, while no connection is idle: one that was is tried once more beside the rest.
    assert.deepEqual(await asked('GET', 9), [503, 3]);
    assert.deepEqual(await asked('GET', 1), [200, 2]);
    assert.deepEqual(await asked('PUT', 1), [200, 2]);
    assert.deepEqual(await asked('POST', 1), [503, 1]);
    const nobody = await startSite(t, { clusters: { a: [await deadPort()] }, routing: rules({ action: to('a') }) });
    assert.equal((await nobody.call('/')).status, 503);
    assert.equal((await until('log', () => nobody.log.at(-1)))['upstream_request_attempt_count'], 1);
  });

  test('a try that is too slow is tried again; the whole request has its own time', async (t) => {
    const waiting: ServerResponse[] = [];
    let hits = 0;
    const app = await startApp(t, (request, response) => {
      hits += 1;
      request.resume();
      waiting.push(response);
    });
    const tried = { ...to('a'), retries: policy({ attempts: 1, on: ['5xx'], perTryTimeoutMs: 1_000 }) };
    const slow = await startSite(t, { clusters: { a: [app.port] }, routing: rules({ action: tried }) });
    const answer = await slow.call('/');
    assert.deepEqual([answer.status, answer.body, hits], [504, 'upstream request timeout', 2]);
    const entry = await until('log', () => slow.log.at(-1));
    assert.deepEqual([entry['response_flags'], entry['response_code_details']], ['UT,URX', 'upstream_per_try_timeout']);
    const timed = await startSite(t, {
      clusters: { a: [app.port] },
      routing: rules({ action: { ...tried, timeoutMs: 60, retries: policy({ on: ['5xx'] }) } }),
    });
    assert.equal((await timed.call('/')).status, 504);
    const second = await until('log', () => timed.log.at(-1));
    assert.deepEqual([second['response_flags'], second['response_code_details']], ['UT', 'response_timeout']);
    for (const response of waiting) response.destroy();
  });

  test('an answer that outlasts the time is broken off', async (t) => {
    const app = await startApp(t, (_request, response) => {
      response.write('begun');
    });
    const site = await startSite(t, { clusters: { a: [app.port] }, routing: rules({ action: { ...to('a'), timeoutMs: 50 } }) });
    await assert.rejects(site.call('/'));
    assert.equal((await until('log', () => site.log.at(-1)))['response_flags'], 'UT');
  });

  test('more requests than may run at once are refused, and more retries than the budget are not made', async (t) => {
    const waiting: ServerResponse[] = [];
    const app = await startApp(t, (_request, response) => void waiting.push(response));
    const connections = { maxRequests: 1, maxRetries: 0 };
    const action = { ...to('a'), retries: policy({ on: ['5xx'] }) };
    const site = await startSite(t, { clusters: { a: { ports: [app.port], traffic: { connections } } }, routing: rules({ action }) });
    const first = site.call('/1');
    await until('the first is there', () => waiting.length === 1);
    const refused = await site.call('/2');
    assert.deepEqual([refused.status, refused.headers['x-envoy-overloaded']], [503, 'true']);
    waiting[0]?.writeHead(503).end('no');
    assert.equal((await first).body, 'no');
    const entries = await until('both', () => (site.log.length === 2 ? site.log : undefined));
    assert.deepEqual(
      entries.map((each) => each['response_flags']),
      ['UO', 'UO'],
    );
  });

  test('a session begins with a cookie, and stays where it began', async (t) => {
    const apps = await Promise.all(['a', 'b', 'c'].map((name) => startEcho(t, name)));
    const on = { type: 'cookie' as const, name: 'session', path: '/', ttlMs: 60_000 };
    const traffic = { loadBalancer: { type: 'hash' as const, on, table: { type: 'maglev' as const, tableSize: 1_021 } } };
    const site = await startSite(t, { clusters: { a: { ports: apps.map(({ port }) => port), traffic } }, routing: rules({}) });
    const names = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const first = await site.call('/');
      const [cookie = ''] = first.headers['set-cookie'] ?? [];
      assert.match(cookie, /^session="[0-9a-f-]{36}"; Max-Age=60; Path=\/; HttpOnly$/);
      const again = await site.call('/', { headers: { cookie: `x=1; ${cookie.slice(0, cookie.indexOf(';'))}` } });
      assert.deepEqual([again.seen.name, again.headers['set-cookie']], [first.seen.name, undefined]);
      names.add(first.seen.name);
    }
    const [begun = ''] = (await site.call('/', { headers: { cookie: 'session=' } })).headers['set-cookie'] ?? [];
    assert.match(begun, /^session="[0-9a-f-]{36}";/, 'an empty one is none');
    assert.ok(names.size > 1);
  });

  test('a hash goes by what the rule makes of the request', async (t) => {
    const apps = await Promise.all(['a', 'b', 'c'].map((name) => startEcho(t, name)));
    const by = async (on: { readonly type: 'header' | 'query'; readonly name: string }, rule: Partial<HttpRule<ClusterRef>>) => {
      const traffic = { loadBalancer: { type: 'hash' as const, on, table: { type: 'maglev' as const, tableSize: 1_021 } } };
      const site = await startSite(t, { clusters: { a: { ports: apps.map(({ port }) => port), traffic } }, routing: rules(rule) });
      const names = new Set<string>();
      for (let i = 0; i < 20; i++) names.add((await site.call(`/?u=${i}`, { headers: { 'x-user': `u${i}` } })).seen.name);
      return names.size;
    };
    const destinations = [{ destination: { cluster: 'a' }, weight: 1 }];
    const header = { type: 'header', name: 'x-user' } as const;
    assert.ok((await by(header, {})) > 1);
    assert.equal(await by(header, { requestHeaders: { set: [['x-user', 'joe']], add: [], remove: [] } }), 1);
    const rewrite = { path: { type: 'full' as const, value: '/z?u=joe&' } };
    assert.equal(await by({ type: 'query', name: 'u' }, { action: { type: 'route', destinations, mirrors: [], rewrite } }), 1);
  });
});
