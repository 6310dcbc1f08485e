import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Traffic } from '../../core/admin/index.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { EnvoyNodes } from './envoy/mesh.ts';

/** Answers `/code/NNN` with that, and all else with 200; takes whole bodies. */
async function startApp(t: TestContext): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(Number(/^\/code\/(\d+)/.exec(request.url ?? '')?.[1] ?? 200)).end('four'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function startEcho(t: TestContext): Promise<number> {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => server.close());
  return (server.address() as AddressInfo).port;
}

function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(text));
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
  });
}

const rules = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders]
  http:
    - {name: teapot, match: [{uri: {prefix: /teapot}}], directResponse: {status: 418}}
    - {name: retry, match: [{uri: {prefix: /code/503}}], retries: {attempts: 2, retryOn: 5xx}, route: [{destination: {host: orders}}]}
    - {name: copied, match: [{uri: {prefix: /copied}}], mirror: {host: orders}, route: [{destination: {host: orders}}]}
    - {name: rest, route: [{destination: {host: orders}}]}
`;

type Proxy = 'envoy' | 'isthmus';

/** A VM that serves HTTP and one that serves bytes, one that calls both, and one that calls by way of the gateway. */
async function site(t: TestContext, proxy: Proxy) {
  const mesh = await EnvoyNodes.start(t);
  const [app, echo] = [await startApp(t), await startEcho(t)];
  const [near, far, sql] = [await deadPort(), await deadPort(), await deadPort()];
  await mesh.gateway('gw', 'east', proxy);
  await mesh.vm('orders', { proxy, serves: { port: 8080, appPort: app } });
  await mesh.vm('db', { proxy, serves: { port: 5432, appPort: echo, protocol: 'tcp' } });
  await mesh.vm('web', { proxy, outbound: { 'orders.shop.mesh.internal:8080': near, 'db.shop.mesh.internal:5432': sql } });
  const abroad = await mesh.vm('abroad', { proxy, network: 'other', outbound: { 'orders.shop.mesh.internal:8080': far } });
  const folder = await temporaryDir(t);
  const written = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  await mesh.cli('apply', '-f', await written('rules.yaml', rules));
  /** By caller and status. */
  const asked = new Map<string, Map<number, number>>();
  const get = async (port: number, path: string, body?: string) => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, body === undefined ? {} : { method: 'POST', body });
    await reply.text();
    const source = port === near ? 'web' : 'abroad';
    const codes = asked.get(source) ?? new Map<number, number>();
    asked.set(source, codes.set(reply.status, (codes.get(reply.status) ?? 0) + 1));
    return reply.status;
  };
  for (const port of [near, far]) {
    await until('the rule', async () => (await get(port, '/teapot')) === 418 && (await get(port, '/')) === 200, 60_000);
  }
  await until('the database', async () => (await talk(sql, 'hello')) === 'hello');
  const traffic = async (...args: string[]) => JSON.parse(await mesh.cli('traffic', ...args, '-o', 'json')) as Traffic;
  const plan = async () => mesh.said('plan', '-f', await written('deny.yaml', deny));
  return { mesh, near, far, sql, get, asked, traffic, plan, abroad };
}

const deny = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cut, namespace: shop}
spec: {action: DENY, rules: [{}]}
`;

type Site = Awaited<ReturnType<typeof site>>;

async function load({ near, far, sql, get }: Site): Promise<void> {
  for (let i = 0; i < 40; i++) {
    assert.equal(await get(near, '/'), 200);
    if (i % 2 === 0) assert.equal(await get(far, '/'), 200);
    if (i % 4 === 0) assert.equal(await get(near, '/code/404'), 404);
    if (i % 8 === 0) assert.equal(await get(near, '/code/500', 'body'), 500);
    if (i % 5 === 0) assert.equal(await talk(sql, 'select 1'), 'select 1');
    if (i % 10 !== 0) continue;
    assert.equal(await get(near, '/teapot'), 418);
    assert.equal(await get(near, '/code/503'), 503);
    assert.equal(await get(near, '/copied'), 200);
  }
}

/** Requests and connections by everything that they are told apart by. */
type Counts = ReadonlyMap<string, number>;

function countsOf({ flows }: Traffic): Counts {
  const counts = new Map<string, number>();
  for (const f of flows) {
    if (f.reporter === 'gateway') continue;
    const group = [f.cluster, f.locality, f.runtime, f.viaGateway ? 'gateway' : 'direct'].join('/');
    const key = `${f.reporter} ${f.source}@${f.sourceCluster} ${f.route || '-'} ${f.destination || '-'}:${f.port} ${group}`;
    const add = (what: string, n: number) => counts.set(`${key} ${what}`, (counts.get(`${key} ${what}`) ?? 0) + n);
    for (const [code, n] of Object.entries(f.codes)) add(code, n);
    for (const [what, n] of Object.entries({ tcp: f.connections, in: f.bytesReceived, out: f.bytesSent, tries: f.attempts }))
      if (n > 0) add(what, n);
  }
  return counts;
}

function since(before: Counts, after: Counts): Record<string, number> {
  const grown = [...after].map(([key, n]) => [key, n - (before.get(key) ?? 0)] as const).filter(([, n]) => n !== 0);
  return Object.fromEntries(grown.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Of `load`, by whoever carries it. Of what Envoy copies it says nothing. */
function carriedBy(proxy: Proxy): Record<string, number> {
  const [web, abroad] = ['mesh.test/ns/shop/sa/web@east', 'mesh.test/ns/shop/sa/abroad@east'];
  const [orders, db, app] = ['shop/orders:8080', 'shop/db:5432', 'east//vm/direct'];
  const flows: readonly (readonly [string, object])[] = [
    [`source ${web} shop/orders/rest ${orders} ${app}`, { 200: 40, 404: 10, 500: 5, in: 20, out: 220, tries: 55 }],
    [`source ${web} shop/orders/retry ${orders} ${app}`, { 503: 4, out: 16, tries: 12 }],
    [`source ${web} shop/orders/copied ${orders} ${app}`, { 200: 4, out: 16, tries: 4 }],
    ...(proxy === 'envoy' ? [] : ([[`source ${web} - ${orders} ///direct`, { tries: 4 }]] as const)),
    [`source ${web} shop/orders/teapot -:0 ///direct`, { 418: 4 }],
    [`destination ${web} - ${orders} ${app}`, { 200: 48, 404: 10, 500: 5, 503: 12, in: 20, out: 300, tries: 75 }],
    [`source ${abroad} shop/orders/rest ${orders} east//vm/gateway`, { 200: 20, out: 80, tries: 20 }],
    [`destination ${abroad} - ${orders} ${app}`, { 200: 20, out: 80, tries: 20 }],
    ...['source', 'destination'].map((reporter) => [`${reporter} ${web} - ${db} ${app}`, { tcp: 8, in: 64, out: 64, tries: 8 }] as const),
  ];
  const entries = flows.flatMap(([key, counts]) => Object.entries(counts).map(([what, n]) => [`${key} ${what}`, n as number] as const));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Everything that was asked for until now is told by both ends. */
async function settled({ traffic, asked }: Site): Promise<Counts> {
  return until(
    'all that was asked is counted',
    async () => {
      const all = await traffic('--all');
      for (const source of ['web', 'abroad']) {
        const own = all.flows.filter((f) => f.source.endsWith(`/${source}`) && f.requests > 0);
        const codes = new Map<number, number>();
        for (const { reporter, codes: some } of own) {
          for (const [code, n] of Object.entries(some))
            if (reporter === 'source') codes.set(Number(code), (codes.get(Number(code)) ?? 0) + n);
        }
        assert.deepEqual(codes, asked.get(source));
        const good = (reporter: string) => own.reduce((sum, f) => sum + (f.reporter === reporter ? (f.codes['200'] ?? 0) : 0), 0);
        if (good('destination') !== good('source')) return undefined;
      }
      const echoed = all.flows.filter((f) => f.destination === 'shop/db' && f.bytesSent > 0).map((f) => f.reporter);
      return echoed.includes('source') && echoed.includes('destination') ? countsOf(all) : undefined;
    },
    60_000,
  );
}

for (const kind of ['isthmus', 'envoy'] as const) {
  test(`what ${kind} carries is counted at both ends, by source, route, destination, group and code, exactly`, {
    timeout: 480_000,
  }, async (t) => {
    const carried = carriedBy(kind);
    const here = await site(t, kind);
    const before = await settled(here);
    await load(here);
    await until(
      'the load',
      async () => {
        assert.deepEqual(since(before, countsOf(await here.traffic('--all'))), carried);
        return true;
      },
      60_000,
    );
    const { flows } = await here.traffic('shop/web', 'shop/orders');
    assert.ok(flows.length > 0 && flows.every(({ latency: l }) => l !== null && l.p50 > 0 && l.p50 <= l.p99 && l.mean < 20_000));
    const plan = await here.plan();
    assert.match(plan, /would cut off mesh\.test\/ns\/shop\/sa\/web of east, which called shop\/orders \d+ times/);
    if (kind === 'isthmus') return;

    // Away, and back within the time that counts are kept: what was carried meanwhile is told then, to one who knows nothing else.
    await here.mesh.stopControl();
    await load(here);
    await here.mesh.startControl();
    await until(
      'what was carried while nobody listened',
      async () => {
        assert.deepEqual(since(new Map(), countsOf(await here.traffic('--all'))), carried);
        return true;
      },
      60_000,
    );
    // What a gateway passes on is counted when it ends.
    await here.abroad.process.terminate();
    const [passed] = await until('the connections through the gateway', async () => {
      // One that is open is known of before it is counted.
      const all = (await here.traffic('--all')).flows.filter((f) => f.reporter === 'gateway' && f.connections > 0);
      return all.length > 0 ? all : undefined;
    });
    assert.ok(passed !== undefined && passed.bytesReceived > 0);
    assert.deepEqual([passed.destination, passed.port, passed.cluster, passed.source], ['shop/orders', 8080, 'east', '']);
    const client = async (name: string) => (await here.mesh.status()).clients.find(({ instance }) => instance === name);
    const sent = async () => {
      await here.get(here.near, '/');
      return (await client('vm-web.envoy'))?.load;
    };
    const loads = await until('load reports', async () => ((await sent())?.sent ? sent() : undefined), 60_000);
    assert.equal(loads.dropped, 0);
  });
}
