import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import type { ClusterRef, HttpRule } from '../../core/traffic/index.ts';
import { refusedUpdates, startApp } from '../support/envoy-mesh.ts';
import { onEnd } from '../support/on-end.ts';
import { ask, startStaticMesh } from '../support/static-envoy.ts';
import { clusterName, direct, httpRouting, match, place, routeTo, rule, serviceResources } from '../support/traffic-scene.ts';
import { until } from '../support/until.ts';

const [v1, v2, none] = [clusterName('reviews', 'v1'), clusterName('reviews', 'v2'), clusterName('reviews', 'none')];
const exact = (value: string) => ({ type: 'exact', value }) as const;
const at = (path: string) => [match({ path: exact(path) })];
const segments = (value: string) => ({ path: { type: 'segments', value } }) as const;
const prefix = (value: string) => ({ type: 'prefix', value }) as const;

/** Reviews v1 and v2, and a sidecar that calls them by `rules`. */
async function startReviews(t: TestContext, rules: readonly HttpRule<ClusterRef>[], versions: Partial<Record<'v1' | 'v2', number>> = {}) {
  const [one, two] = [await startApp(t, 'v1'), await startApp(t, 'v2')];
  const { set, sidecar } = await startStaticMesh(t);
  const subsets = {
    '': { endpoints: [place(one.port)] },
    v1: { endpoints: [place(versions.v1 ?? one.port)] },
    v2: { endpoints: [place(versions.v2 ?? two.port)] },
    none: { endpoints: [] },
  };
  set({ 'shop/reviews': serviceResources('reviews', { routing: httpRouting(rules), subsets }) });
  const { envoy, ports } = await sidecar({ reviews: 80 });
  onEnd(t, async () => assert.equal(await refusedUpdates(envoy), 0));
  const port = ports['reviews'] ?? 0;
  await until('endpoints', async () => (await ask(port, '/ready')).status === 200);
  return { port, two: two.server };
}

const ready = rule('ready', at('/ready'), routeTo({ [v1]: 1 }));

test('requests go by path, method, headers, query, authority and who calls; the first rule that matches decides', {
  timeout: 120_000,
}, async (t) => {
  const header = (name: string, more: object) => [match({ path: exact('/headers'), headers: [{ name, ...more }] })];
  const query = (name: string, more: object) => [match({ path: exact('/query'), query: [{ name, ...more }] })];
  const { port } = await startReviews(t, [
    ready,
    rule('web', [match({ path: exact('/caller'), sourceLabels: { app: 'web' }, sourceNamespace: 'shop' })], direct(200, 'web')),
    rule('exact', [match({ path: exact('/exact'), method: exact('GET') })], direct(200, 'exact')),
    rule('any case', [match({ path: prefix('/Case'), ignoreCase: true })], direct(200, 'case')),
    rule('segments', [match(segments('/a/b'))], direct(200, 'segments')),
    rule('prefix', [match({ path: prefix('/a') })], direct(200, 'prefix')),
    rule('regex', [match({ path: { type: 'regex', value: '/v[0-9]+' } })], direct(200, 'regex')),
    rule('host', [match({ path: exact('/host'), authority: { type: 'suffix', value: '.example.com' } })], direct(200, 'host')),
    rule('h not', header('x-not', { value: exact('1'), not: true }), direct(200, 'not 1')),
    rule('h regex', header('x-re', { value: { type: 'regex', value: '[a-c]*' }, not: true }), direct(200, 'not abc')),
    rule('h there', header('x-there', {}), direct(200, 'there')),
    rule('h rest', at('/headers'), direct(200, 'rest')),
    rule('q exact', query('q', { value: exact('1') }), direct(200, 'q=1')),
    rule('q absent', query('r', { not: true }), direct(200, 'no r')),
    rule('q not', query('r', { value: exact('2'), not: true }), direct(200, 'r not 2')),
    rule('others', [match({ path: exact('/caller'), sourceNamespace: 'other' })], direct(500)),
  ]);
  const told = async (path: string, options?: Parameters<typeof ask>[2]) => {
    const { status, text } = await ask(port, path, options);
    return status === 200 ? text : status;
  };
  const withHeaders = (headers: Record<string, string>) => told('/headers', { headers: { 'x-not': '1', 'x-re': 'a', ...headers } });
  assert.deepEqual(
    {
      caller: await told('/caller'),
      exact: [await told('/exact?x=1'), await told('/exact', { method: 'POST' }), await told('/exact/')],
      case: await told('/cASE/1'),
      segments: [await told('/a/b'), await told('/a/b/c'), await told('/a/bc'), await told('/ab')],
      regex: [await told('/v12'), await told('/v12/x')],
      host: [
        await told('/host', { headers: { host: 'Shop.Example.com:8080' } }),
        await told('/host', { headers: { host: 'example.org' } }),
      ],
      headers: [
        await told('/headers'),
        await withHeaders({ 'x-not': '2' }),
        await withHeaders({ 'x-re': 'd' }),
        await withHeaders({ 'x-there': '' }),
        await withHeaders({}),
      ],
      query: [await told('/query?q=1&r=1'), await told('/query'), await told('/query?r=1'), await told('/query?a=b&r=2&c=d')],
      none: await told('/else'),
    },
    {
      caller: 'web',
      exact: ['exact', 404, 404],
      case: 'case',
      segments: ['segments', 'segments', 'prefix', 'prefix'],
      regex: ['regex', 404],
      host: ['host', 404],
      headers: ['not 1', 'not 1', 'not abc', 'there', 'rest'],
      query: ['q=1', 'no r', 'r not 2', 404],
      none: 404,
    },
  );
});

test('a request is changed, sent elsewhere or answered as its rule says', { timeout: 120_000 }, async (t) => {
  const to = (name: string, matches: HttpRule<ClusterRef>['matches'], path: { type: 'full' | 'prefix'; value: string }) =>
    rule(name, matches, routeTo({ [v1]: 1 }, { rewrite: { path } }));
  const gone = { destination: { cluster: '', missing: 500 as const }, weight: 1 };
  const { port } = await startReviews(t, [
    ready,
    to('root', [match(segments('/root'))], { type: 'prefix', value: '/' }),
    to('segments', [match(segments('/old'))], { type: 'prefix', value: '/new' }),
    to('text', [match({ path: prefix('/te') })], { type: 'prefix', value: '/ho' }),
    to('full', [match(segments('/full'))], { type: 'full', value: '/a\\1' }),
    rule(
      'regex',
      [match(segments('/re'))],
      routeTo(
        { [v1]: 1 },
        {
          rewrite: { authority: 'other.example.com', path: { type: 'regex', pattern: '^/re/([a-z]+)/([a-z]+)', substitution: '/\\2/\\1' } },
        },
      ),
    ),
    rule('moved', [match(segments('/moved'))], {
      type: 'redirect',
      scheme: 'https',
      authority: 'new.example.com',
      port: 8443,
      path: { type: 'prefix', value: '/here' },
      status: 307,
    }),
    rule('gone', at('/gone'), { ...routeTo({}), destinations: [gone] }),
    rule('half', at('/half'), { ...routeTo({}), destinations: [gone, { destination: { cluster: v1 }, weight: 1 }] }),
    rule('empty', at('/empty'), routeTo({ [none]: 1 })),
    rule('body', at('/body'), direct(418, 'x'.repeat(10_000))),
    rule(
      'headers',
      at('/headers'),
      {
        ...routeTo({}),
        destinations: [v1, clusterName('reviews')].map((cluster) => ({
          destination: { cluster },
          weight: 1,
          requestHeaders: {
            set: [
              ['x-a', '100%'],
              ['host', 'v1.example.com'],
            ],
            add: [['x-c', 'more']],
            remove: ['x-b'],
          },
          responseHeaders: { set: [['x-app', 'hidden']], add: [], remove: [] },
        })),
      },
      {
        requestHeaders: { set: [['x-a', 'rule']], add: [], remove: [] },
        responseHeaders: { set: [], add: [['x-rule', 'yes']], remove: [] },
      },
    ),
  ]);
  const seen = async (path: string) => (await ask(port, path)).app.url;
  assert.deepEqual(
    [
      await seen('/root/a?q=1'),
      await seen('/root'),
      await seen('/old/a'),
      await seen('/old'),
      await seen('/text'),
      await seen('/full/x?q=1'),
    ],
    ['/a?q=1', '/', '/new/a', '/new', '/hoxt', '/a\\1?q=1'],
  );
  const turned = await ask(port, '/re/one/two');
  assert.deepEqual([turned.app.url, turned.app.headers?.['host']], ['/two/one', 'other.example.com']);
  const moved = await ask(port, '/moved/x?q=1');
  assert.deepEqual([moved.status, moved.headers['location']], [307, 'https://new.example.com:8443/here/x?q=1']);
  assert.equal((await ask(port, '/gone')).status, 500);
  const half = await Promise.all(Array.from({ length: 60 }, async () => (await ask(port, '/half')).status));
  assert.deepEqual([...new Set(half)].sort(), [200, 500]);
  assert.equal((await ask(port, '/empty')).status, 503);
  const body = await ask(port, '/body');
  assert.deepEqual([body.status, body.text.length], [418, 10_000]);
  const { app, headers } = await ask(port, '/headers', { headers: { 'x-b': 'b', 'x-c': 'c' } });
  assert.deepEqual([app.headers?.['x-a'], app.headers?.['x-b'], app.headers?.['host']], ['100%', undefined, 'v1.example.com']);
  assert.deepEqual([app.headers?.['x-c']?.replaceAll(' ', ''), headers['x-app'], headers['x-rule']], ['c,more', 'hidden', 'yes']);
});

/** Answers 503 so many times, and slowly under /slow. */
async function startFlaky(t: TestContext, failures: number) {
  const state = { again: 0 };
  const server = createServer((request, response) => {
    // What Envoy has given up may come here later than its answer to whoever asked for it: each is counted by what it is.
    if (request.url === '/again') state.again += 1;
    if (request.url === '/slow') return;
    if (request.url !== '/ready' && failures-- > 0) response.statusCode = 503;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { state, port: (server.address() as AddressInfo).port };
}

test('weights, mirrors, timeouts, retries, faults and CORS', { timeout: 120_000 }, async (t) => {
  const flaky = await startFlaky(t, 2);
  const cors = {
    allowOrigins: [exact('https://shop.example.com')],
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    maxAgeS: 60,
    allowCredentials: true,
  };
  const { port, two } = await startReviews(
    t,
    [
      ready,
      rule('weights', at('/weights'), routeTo({ [clusterName('reviews')]: 3, [v2]: 1 })),
      rule(
        'mirror',
        at('/mirror'),
        routeTo({ [clusterName('reviews')]: 1 }, { mirrors: [{ destination: { cluster: v2 }, percent: 100 }] }),
      ),
      rule('slow', at('/slow'), routeTo({ [v1]: 1 }, { timeoutMs: 50, retries: { attempts: 0, on: [], statusCodes: [] } })),
      rule(
        'again',
        at('/again'),
        routeTo({ [v1]: 1 }, { retries: { attempts: 2, on: ['5xx'], statusCodes: [], backoffMs: 1, ignorePreviousHosts: false } }),
      ),
      rule('abort', at('/abort'), direct(200), { fault: { abort: { percent: 100, status: 555 } } }),
      rule('cors', at('/cors'), routeTo({ [v1]: 1 }), { cors }),
    ],
    { v1: flaky.port },
  );
  const apps = await Promise.all(Array.from({ length: 400 }, async () => (await ask(port, '/weights')).app.app));
  const share = apps.filter((app) => app === 'v2').length;
  assert.ok(share > 60 && share < 140, `${share} of 400 went to v2`);
  const mirrored = new Promise<string>((resolve) =>
    two.on('request', ({ url, headers }) => url === '/mirror' && resolve(headers.host ?? '')),
  );
  assert.equal((await ask(port, '/mirror', { headers: { host: 'reviews' } })).app.app, 'v1');
  assert.equal(await mirrored, 'reviews-shadow');
  assert.equal((await ask(port, '/slow')).status, 504);
  assert.equal((await ask(port, '/again')).status, 200);
  assert.equal(flaky.state.again, 3);
  assert.equal((await ask(port, '/abort')).status, 555);
  const origin = 'https://shop.example.com';
  const preflight = { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } };
  const { status, headers } = await ask(port, '/cors', preflight);
  assert.equal(status, 200);
  assert.equal(headers['access-control-allow-origin'], origin);
  assert.equal(headers['access-control-allow-methods'], 'GET,PUT');
  assert.equal(headers['access-control-max-age'], '60');
  assert.equal((await ask(port, '/cors', { headers: { origin } })).headers['access-control-expose-headers'], 'x-b');
});
