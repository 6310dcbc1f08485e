import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../support/until.ts';
import { host, rules, startApp, startEcho, startSite, to } from './forward-site.ts';

const anything = { headers: [], query: [], sourceLabels: {} };

describe('HTTP goes where its rules say', () => {
  test('by path, header, query, method and who calls; the first rule that matches; 404 when none does', async (t) => {
    const [a, b] = [await startEcho(t, 'a'), await startEcho(t, 'b')];
    const site = await startSite(t, {
      labels: { app: 'front' },
      clusters: { a: [a.port], b: [b.port] },
      routing: rules(
        { matches: [{ ...anything, sourceLabels: { app: 'other' } }], action: to('none') },
        { matches: [{ ...anything, path: { type: 'segments', value: '/b' } }], action: to('b') },
        { matches: [{ ...anything, headers: [{ name: 'x-user', value: { type: 'regex', value: 'j.*n' } }] }], action: to('b') },
        { matches: [{ ...anything, query: [{ name: 'v', value: { type: 'exact', value: '2' } }] }], action: to('b') },
        { matches: [{ ...anything, method: { type: 'exact', value: 'GET' }, sourceLabels: { app: 'front' } }], action: to('a') },
      ),
    });
    const names = [];
    for (const path of ['/', '/b', '/b/c', '/bc', '/?v=2', '/?v=22']) names.push((await site.call(path)).seen.name);
    assert.deepEqual(names, ['a', 'b', 'b', 'a', 'b', 'a']);
    assert.equal((await site.call('/', { headers: { 'x-user': 'jason' } })).seen.name, 'b');
    const nowhere = await site.call('/', { method: 'POST' });
    assert.deepEqual([nowhere.status, nowhere.body], [404, '']);
    const entry = await until('log', () => site.log.find((each) => each['response_code'] === 404));
    assert.deepEqual([entry['response_flags'], entry['response_code_details']], ['NR', 'route_not_found']);
    const routed = site.log.find((each) => each['path'] === '/b');
    assert.deepEqual([routed?.['route_name'], routed?.['upstream_cluster']], ['rule-1', 'b']);
  });

  test('99 to 1 is 99 to 1', async (t) => {
    const [a, b] = [await startEcho(t, 'a'), await startEcho(t, 'b')];
    let turn = 0;
    const destinations = [
      { destination: { cluster: 'a' }, weight: 99 },
      { destination: { cluster: 'b' }, weight: 1 },
    ];
    const site = await startSite(t, {
      clusters: { a: [a.port], b: [b.port] },
      // Every hundredth, in some order.
      random: () => ((turn++ * 37) % 100) / 100,
      routing: rules({ action: { type: 'route', destinations, mirrors: [] } }),
    });
    const seen = { a: 0, b: 0 };
    for (let i = 0; i < 200; i++) seen[(await site.call('/')).seen.name as 'a' | 'b'] += 1;
    assert.ok(seen.b >= 1 && seen.b <= 6, JSON.stringify(seen));
  });

  test('header changes both ways, rewrite of path and authority', async (t) => {
    const a = await startEcho(t, 'a');
    const site = await startSite(t, {
      clusters: { a: [a.port] },
      routing: rules({
        matches: [{ ...anything, path: { type: 'prefix', value: '/old/' } }],
        requestHeaders: { set: [['x-set', 'rule']], add: [['x-add', 'rule']], remove: ['x-gone'] },
        responseHeaders: { set: [['x-app', 'rewritten']], add: [['x-more', '1']], remove: [] },
        action: {
          ...to('a'),
          destinations: [
            { destination: { cluster: 'a' }, weight: 1, requestHeaders: { set: [['x-set', 'destination']], add: [], remove: [] } },
          ],
          rewrite: { authority: 'other.example', path: { type: 'prefix', value: '/new/' } },
        },
      }),
    });
    const answer = await site.call('/old/x?y=1', { headers: { 'x-set': 'mine', 'x-add': 'mine', 'X-Gone': '1' } });
    const { url, headers } = answer.seen;
    assert.deepEqual(
      [url, headers['host'], headers['x-set'], headers['x-add'], headers['x-gone']],
      ['/new/x?y=1', 'other.example', 'destination', 'mine, rule', undefined],
    );
    assert.deepEqual([answer.headers['x-app'], answer.headers['x-more']], ['rewritten', '1']);
  });

  test('what this hop says of a request is matched, set and removed like any header', async (t) => {
    const a = await startEcho(t, 'a');
    const on = (path: string) => ({ ...anything, path: { type: 'exact' as const, value: path } });
    const site = await startSite(t, {
      clusters: { a: [a.port] },
      routing: rules(
        {
          matches: [on('/set')],
          requestHeaders: {
            set: [
              ['x-request-id', 'fixed'],
              ['x-forwarded-for', '192.0.2.9'],
            ],
            add: [],
            remove: [],
          },
          action: to('a'),
        },
        { matches: [on('/gone')], requestHeaders: { set: [], add: [], remove: ['x-request-id', 'x-forwarded-for'] }, action: to('a') },
        {
          matches: [{ ...on('/match'), headers: [{ name: 'x-request-id' }, { name: 'x-forwarded-for' }] }],
          requestHeaders: { set: [['x-matched', '1']], add: [], remove: [] },
          action: to('a'),
        },
      ),
    });
    const seen = async (path: string) => {
      const { headers } = (await site.call(path)).seen;
      return [headers['x-request-id'], headers['x-forwarded-for'], headers['x-matched']];
    };
    assert.deepEqual(await seen('/set'), ['fixed', '192.0.2.9', undefined]);
    assert.deepEqual(await seen('/gone'), [undefined, undefined, undefined]);
    assert.deepEqual((await seen('/match')).slice(1), ['127.0.0.1', '1']);
  });

  test('redirect, direct response, and a destination that leads nowhere', async (t) => {
    const site = await startSite(t, {
      clusters: {},
      routing: rules(
        {
          matches: [{ ...anything, path: { type: 'prefix', value: '/r' } }],
          action: { type: 'redirect', scheme: 'https', status: 308, path: { type: 'prefix', value: '/s' } },
        },
        {
          matches: [{ ...anything, path: { type: 'exact', value: '/d' } }],
          action: { type: 'direct', status: 418, body: Buffer.from('tea') },
          responseHeaders: { set: [['x-by', 'rule']], add: [], remove: [] },
        },
        {
          matches: [{ ...anything, path: { type: 'exact', value: '/m' } }],
          action: { type: 'route', destinations: [{ destination: { cluster: '', missing: 500 }, weight: 1 }], mirrors: [] },
        },
      ),
    });
    const moved = await site.call('/r/x?q', { headers: { host: `${host}:80` } });
    assert.deepEqual([moved.status, moved.headers.location, moved.body], [308, `https://${host}/s/x?q`, '']);
    const direct = await site.call('/d', { method: 'POST', body: 'ignored' });
    assert.deepEqual(
      [direct.status, direct.body, direct.headers['content-type'], direct.headers['x-by']],
      [418, 'tea', 'text/plain', 'rule'],
    );
    assert.equal((await site.call('/m')).status, 500);
  });

  test('CORS: preflights are answered here, actual answers get the headers, others go as they are', async (t) => {
    const a = await startEcho(t, 'a');
    const cors = {
      allowOrigins: [{ type: 'suffix' as const, value: '.example' }],
      allowMethods: ['GET', 'PUT'],
      allowHeaders: ['x-a'],
      exposeHeaders: ['x-app'],
      maxAgeS: 60,
      allowCredentials: true,
    };
    const site = await startSite(t, { clusters: { a: [a.port] }, routing: rules({ cors }) });
    const asked = { origin: 'https://web.example', 'access-control-request-method': 'PUT' };
    const preflight = await site.call('/', { method: 'OPTIONS', headers: asked });
    assert.equal(preflight.status, 200);
    assert.deepEqual(
      ['origin', 'methods', 'headers', 'credentials'].map((name) => preflight.headers[`access-control-allow-${name}`]),
      ['https://web.example', 'GET,PUT', 'x-a', 'true'],
    );
    assert.equal(preflight.headers['access-control-max-age'], '60');
    const actual = await site.call('/', { headers: { origin: 'https://web.example' } });
    assert.deepEqual(
      [actual.seen.name, actual.headers['access-control-allow-origin'], actual.headers['access-control-expose-headers']],
      ['a', 'https://web.example', 'x-app'],
    );
    const foreign = await site.call('/', { method: 'OPTIONS', headers: { ...asked, origin: 'https://evil.test' } });
    assert.deepEqual([foreign.seen.method, foreign.headers['access-control-allow-origin']], ['OPTIONS', undefined]);
  });

  test("our own answers: a preflight is no rule's, CORS is for what is led somewhere, and a body has a type", async (t) => {
    const a = await startEcho(t, 'a');
    const cors = {
      allowOrigins: [{ type: 'exact' as const, value: 'https://a.example' }],
      allowMethods: ['GET'],
      allowHeaders: [],
      exposeHeaders: ['x-app'],
      forwardNotMatching: false,
    };
    const responseHeaders = { set: [['x-by', 'rule']] as const, add: [], remove: ['content-type'] };
    const site = await startSite(t, {
      clusters: { a: [a.port] },
      routing: rules(
        {
          matches: [{ ...anything, path: { type: 'exact', value: '/d' } }],
          action: { type: 'direct', status: 203, body: Buffer.from('hi') },
          cors,
          responseHeaders,
        },
        { cors, responseHeaders },
      ),
    });
    const told = async (path: string, origin: string) => {
      const headers = { origin, 'access-control-request-method': 'GET' };
      const answer = await site.call(path, { method: 'OPTIONS', headers });
      const names = [
        'x-by',
        'content-type',
        'access-control-allow-origin',
        'access-control-allow-methods',
        'access-control-expose-headers',
      ];
      return [answer.status, ...names.map((name) => answer.headers[name])];
    };
    assert.deepEqual(await told('/', 'https://a.example'), [200, undefined, undefined, 'https://a.example', 'GET', 'x-app']);
    assert.deepEqual(await told('/', 'https://b.example'), [200, undefined, undefined, undefined, 'GET', undefined]);
    assert.deepEqual(await told('/d', 'https://a.example'), [203, 'rule', 'text/plain', undefined, undefined, undefined]);
  });

  test('faults: a delay, then an abort; gRPC callers get theirs as trailers', async (t) => {
    const a = await startEcho(t, 'a');
    const fault = { delay: { percent: 100, ms: 30 }, abort: { percent: 100, status: 503 } };
    const site = await startSite(t, { clusters: { a: [a.port] }, routing: rules({ fault }) });
    const answer = await site.call('/');
    assert.deepEqual([answer.status, answer.body], [503, 'fault filter abort']);
    const entry = await until('log', () => site.log.at(-1));
    assert.equal(entry['response_flags'], 'DI,FI');
    assert.ok((entry['duration'] as number) >= 29);
    const grpc = await site.call('/', { method: 'POST', headers: { 'content-type': 'application/grpc' } });
    assert.deepEqual([grpc.status, grpc.headers['grpc-status'], grpc.headers['grpc-message']], [200, '14', 'fault filter abort']);
  });

  test('copies go to mirrors, whole and with the shadow of the name', async (t) => {
    const copies: { host: string | undefined; body: string }[] = [];
    const a = await startEcho(t, 'a');
    const mirror = await startApp(t, (incoming, response) => {
      let body = '';
      incoming.on('data', (chunk) => {
        body += chunk;
      });
      incoming.on('end', () => {
        copies.push({ host: incoming.headers.host, body });
        response.writeHead(500).end('nobody reads this');
      });
    });
    const action = { ...to('a'), mirrors: [{ destination: { cluster: 'm' }, percent: 100 }] };
    const site = await startSite(t, { clusters: { a: [a.port], m: [mirror.port] }, routing: rules({ action }) });
    const answer = await site.call('/', { method: 'POST', body: 'hello' });
    assert.deepEqual([answer.status, answer.seen.body], [200, 'hello']);
    await until('the copy', () => copies.length > 0);
    assert.deepEqual(copies, [{ host: `${host}-shadow`, body: 'hello' }]);
  });

  test('a long body is mirrored as it comes, and a mirror that is slower than it is given up', async (t) => {
    const lengths: number[] = [];
    const a = await startEcho(t, 'a');
    const mirror = await startApp(t, (incoming, response) => {
      let length = 0;
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      incoming.on('end', () => {
        lengths.push(length);
        response.end();
      });
    });
    // Nothing of the body is read.
    const stuck = await startApp(t, () => {});
    const mirrors = ['m', 's'].map((cluster) => ({ destination: { cluster }, percent: 100 }));
    const site = await startSite(t, {
      clusters: { a: [a.port], m: [mirror.port], s: [stuck.port] },
      routing: rules({ action: { ...to('a'), mirrors } }),
    });
    // Far beyond what the sockets' own buffers take.
    for (const length of [70_000, 300_000, 24_000_000]) {
      const answer = await site.call('/', { method: 'POST', body: 'x'.repeat(length) });
      assert.deepEqual([answer.status, answer.seen.body.length], [200, length]);
    }
    await until('the copies', () => lengths.length >= 2);
    assert.deepEqual(lengths.slice(0, 2).sort(), [300_000, 70_000]);
    const givenUp = /isthmus_upstream_overflow_total\{cluster="s",limit="copies"\} 1\n/;
    await until('the mirror that is stuck to be given up', async () => givenUp.test(await site.metrics()));
  });
});
