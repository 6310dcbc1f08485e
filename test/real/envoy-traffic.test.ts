import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import type { ClusterTraffic, OutlierDetection } from '../../core/traffic/index.ts';
import { envoyStats, refusedUpdates } from '../support/envoy-mesh.ts';
import { onEnd } from '../support/on-end.ts';
import { ask, startStaticMesh } from '../support/static-envoy.ts';
import { clusterName, place, type ServiceScene, serviceResources } from '../support/traffic-scene.ts';
import { until } from '../support/until.ts';

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const named = (name: string): RequestListener => {
  return (_request, response) => response.end(JSON.stringify({ app: name }));
};

type Subset = ServiceScene['subsets'][string];

/** One service for each way to be called, and a sidecar that calls them. */
async function startServices(t: TestContext, services: Readonly<Record<string, Subset>>) {
  const { set, sidecar } = await startStaticMesh(t);
  const owners = Object.entries(services).map(([name, subset]) => [`shop/${name}`, serviceResources(name, { subsets: { '': subset } })]);
  set(Object.fromEntries(owners));
  const { envoy, ports } = await sidecar(Object.fromEntries(Object.keys(services).map((name) => [name, 80])));
  onEnd(t, async () => assert.equal(await refusedUpdates(envoy), 0));
  const stat = async (service: string, name: string) => {
    const stats = await envoyStats(envoy, name);
    return [...stats].find(([key]) => key.includes(clusterName(service)))?.[1] ?? 0;
  };
  return { port: (service: string) => ports[service] ?? 0, stat };
}

const hashOn = (on: Extract<ClusterTraffic['loadBalancer'], { type: 'hash' }>['on'], table: 'ring' | 'maglev'): ClusterTraffic => ({
  loadBalancer: {
    type: 'hash',
    on,
    table: table === 'ring' ? { type: 'ring', minimumRingSize: 1_024 } : { type: 'maglev', tableSize: 65_537 },
  },
});

test('sessions stay where a cookie, a header, a parameter or an address says; localities have their shares', {
  timeout: 120_000,
}, async (t) => {
  const apps = await Promise.all(['a', 'b', 'c', 'd'].map((name) => serve(t, named(name))));
  const endpoints = apps.map((port) => place(port));
  const shared = apps.map((port, i) => place(port, { locality: i < 3 ? 'eu/near/' : 'eu/far/' }));
  const localities = [
    { priority: 0, locality: 'eu/near/', weight: 80 },
    { priority: 0, locality: 'eu/far/', weight: 20 },
  ];
  const { port } = await startServices(t, {
    cookie: { endpoints, traffic: hashOn({ type: 'cookie', name: 'session', path: '/', ttlMs: 60_000 }, 'ring') },
    header: { endpoints, traffic: hashOn({ type: 'header', name: 'x-user' }, 'maglev') },
    query: { endpoints, traffic: hashOn({ type: 'query', name: 'user' }, 'ring') },
    address: { endpoints, traffic: hashOn({ type: 'source-address' }, 'maglev') },
    shares: { endpoints: shared, localities, traffic: { loadBalancer: { type: 'random' } } },
    // Priority 0 has one of two that are sound: 70 % stay, the rest goes on.
    spill: { endpoints: [place(apps[0] ?? 0), place(apps[1] ?? 0, { unhealthy: true }), place(apps[2] ?? 0, { priority: 1 })] },
    panic: { endpoints: [place(apps[0] ?? 0, { unhealthy: true })] },
  });
  const first = await until('a cookie', async () => {
    const answer = await ask(port('cookie'), '/');
    return answer.status === 200 ? answer : undefined;
  });
  const cookie = [first.headers['set-cookie']].flat()[0] ?? '';
  assert.match(cookie, /^session=.*Max-Age=60/i);
  const answers = async (service: string, count: number, options: (i: number) => Parameters<typeof ask>[2], path = (_i: number) => '/') =>
    Promise.all(Array.from({ length: count }, async (_, i) => (await ask(port(service), path(i), options(i))).app.app));
  const again = await answers('cookie', 20, () => ({ headers: { cookie: cookie.split(';')[0] ?? '' } }));
  assert.deepEqual(new Set(again), new Set([first.app.app]));
  assert.ok(new Set(await answers('cookie', 40, () => ({}))).size > 1);
  assert.equal(new Set(await answers('header', 20, () => ({ headers: { 'x-user': 'jason' } }))).size, 1);
  assert.ok(new Set(await answers('header', 40, (i) => ({ headers: { 'x-user': `user ${i}` } }))).size > 2);
  const asUser = (i: number) => `/?user=${i}`;
  assert.equal(
    new Set(
      await answers(
        'query',
        20,
        () => ({}),
        () => asUser(1),
      ),
    ).size,
    1,
  );
  assert.ok(new Set(await answers('query', 40, () => ({}), asUser)).size > 2);
  assert.equal(new Set(await answers('address', 20, () => ({}))).size, 1);
  assert.ok(new Set(await answers('address', 40, (i) => ({ localAddress: `127.0.0.${i + 2}` }))).size > 2);
  const far = (await answers('shares', 400, () => ({}))).filter((app) => app === 'd').length;
  assert.ok(far > 45 && far < 120, `${far} of 400 went to the far locality`);
  const spilt = await answers('spill', 400, () => ({}));
  const next = spilt.filter((app) => app === 'c').length;
  assert.ok(next > 75 && next < 170 && !spilt.includes('b'), `${next} of 400 went to the next priority`);
  assert.equal((await ask(port('panic'), '/')).app.app, 'a');
});

const outlier: OutlierDetection = {
  consecutive5xx: 3,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: 0,
  intervalMs: 200,
  baseEjectionMs: 60_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

test('what answers badly, or not to a health check, is left out; and there are bounds to what is in flight', {
  timeout: 120_000,
}, async (t) => {
  const good = await serve(t, named('good'));
  const bad = await serve(t, (_request, response) => response.writeHead(500).end());
  const sick = await serve(t, (request, response) => response.writeHead(request.url === '/healthz' ? 503 : 200).end('{}'));
  const waiting: (() => void)[] = [];
  const slow = await serve(t, (_request, response) => waiting.push(() => response.end('{}')));
  const healthCheck = {
    type: 'http',
    path: '/healthz',
    expectedStatuses: [{ from: 200, to: 200 }],
    service: '',
    intervalMs: 100,
    timeoutMs: 1_000,
    healthyThreshold: 1,
    unhealthyThreshold: 1,
  } as const;
  const both = [place(good), place(bad)];
  const { port, stat } = await startServices(t, {
    outlier: { endpoints: both, traffic: { outlier } },
    gateway: { endpoints: [place(good), place(bad, { viaGateway: true })], traffic: { outlier } },
    checked: { endpoints: [place(good), place(sick)], traffic: { healthCheck } },
    bounded: { endpoints: [place(slow)], traffic: { connections: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1 } } },
  });
  await until('the bad endpoint to be ejected', async () => {
    await ask(port('outlier'), '/');
    return (await stat('outlier', 'ejections_active')) === 1;
  });
  assert.deepEqual(new Set(await statuses(port('outlier'), 20)), new Set([200]));
  for (let i = 0; i < 20; i++) await ask(port('gateway'), '/');
  assert.equal(await stat('gateway', 'ejections_active'), 0);
  await until('the sick endpoint to be found', async () => (await stat('checked', 'membership_healthy')) === 1);
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(port('checked'), '/')));
  assert.deepEqual(new Set(all.map(({ app }) => app.app)), new Set(['good']));
  const calls = Array.from({ length: 3 }, () => ask(port('bounded'), '/'));
  const refused = await Promise.race(calls.map(async (call) => (await call).status));
  assert.equal(refused, 503);
  await until('the one request', () => waiting.length === 1);
  let done = false;
  const ended = Promise.all(calls).then((answers) => {
    done = true;
    return answers.map(({ status }) => status).sort();
  });
  await until('the rest', () => {
    for (const finish of waiting.splice(0)) finish();
    return done;
  });
  const final = await ended;
  assert.ok(final.includes(200) && final.includes(503), final.join());
});

async function statuses(port: number, count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, async () => (await ask(port, '/')).status));
}
