import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import type { MergedService } from '../../control/catalog/index.ts';
import type { TrafficObject } from '../../core/config/index.ts';
import { type Protocol, parseLocality, serviceKey } from '../../core/model/index.ts';
import { type EndpointSketch, serviceOf } from '../support/catalog-view.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { trafficShift } from '../support/traffic-objects.ts';
import { until } from '../support/until.ts';
import { Backend } from './routing-fields/backend.ts';
import { svidOf } from './routing-fields/certificates.ts';
import { trafficObjects } from './routing-fields/objects.ts';
import { binomialBounds } from './shift/binomial.ts';
import { type CallerName, CountedMesh } from './shift/counted-mesh.ts';

const callers: readonly CallerName[] = ['isthmus', 'envoy', 'originate', 'ingress'];
const weights = [1, 5, 25, 50, 100];
/** By chance at most one run in a thousand is outside of one of its bounds. */
const tail = 0.001 / (2 * callers.length * 2 * (weights.length + 1));
const zones: Readonly<Record<string, string>> = { 'east-net': 'r1/z1/s1', 'west-net': 'r2/z1/s1', 'north-net': 'r2/z2/s1' };

interface Sides {
  readonly service: MergedService;
  readonly backends: readonly Backend[];
  /** What came to either side since it was asked last. */
  came(): { readonly from: number; readonly to: number };
  /** In all that was asked for so. */
  readonly total: { readonly from: number; readonly to: number };
}

/** One instance of either side in each network. */
async function sides(t: TestContext, mesh: CountedMesh, name: string, protocol: Protocol, networks: readonly string[]): Promise<Sides> {
  const made = networks.flatMap((network) =>
    ['old', 'new'].map(async (side): Promise<{ backend: Backend; sketch: EndpointSketch }> => {
      const backend = new Backend(side);
      onEnd(t, () => backend.close());
      const port = await backend.listen(protocol === 'tcp' ? 'bytes' : 'http', svidOf(mesh.pki, 'shop', name));
      const place = { network, locality: parseLocality(zones[network] ?? ''), address: '127.0.0.1', ports: { main: port } };
      return { backend, sketch: { instance: `${name}-${network}-${side}`, ...place, serviceAccount: name, sources: [`file/${side}`] } };
    }),
  );
  const all = await Promise.all(made);
  const endpoints = all.map(({ sketch }) => sketch);
  const service = serviceOf(name, endpoints, [{ name: 'main', port: protocol === 'tcp' ? 5432 : 80, protocol }]);
  const of = (side: string) => all.filter(({ backend }) => backend.name === side).reduce((sum, { backend }) => sum + backend.came, 0);
  const total = { from: 0, to: 0 };
  const came = () => {
    const now = { from: of('old'), to: of('new') };
    const since = { from: now.from - total.from, to: now.to - total.to };
    Object.assign(total, now);
    return since;
  };
  return { service: { ...service, key: serviceKey('shop', name) }, backends: all.map(({ backend }) => backend), came, total };
}

function get(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, agent, headers: { host: 'orders.example' } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function ask(port: number, requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  for (let i = 0; i < requests; i += 4) {
    const statuses = await Promise.all(Array.from({ length: Math.min(4, requests - i) }, () => get(port, agent)));
    for (const status of statuses) assert.equal(status, 200);
  }
  agent.destroy();
}

function talk(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('hello'));
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString();
    });
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(heard));
  });
}

function within(to: number, all: number, weight: number, what: string): void {
  const [least, most] = binomialBounds(all, weight / 100, tail);
  assert.ok(to >= least && to <= most, `${what} at ${weight} %: ${to} of ${all}, expected ${least} to ${most}`);
}

const front = (http: number, tcp: number) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingress}
  servers:
    - {port: {number: ${http}, name: http, protocol: HTTP}, hosts: ['*']}
    - {port: {number: ${tcp}, name: tcp, protocol: TCP}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front}
spec:
  hosts: ['*']
  gateways: [front]
  http: [{match: [{port: ${http}}], route: [{destination: {host: orders, port: {number: 80}}}]}]
  tcp: [{match: [{port: ${tcp}}], route: [{destination: {host: db, port: {number: 5432}}}]}]
`;

test('what is measured is what was asked for, by request and by connection, through callers of every kind, and is counted exactly', {
  timeout: 270_000,
}, async (t) => {
  const mesh = new CountedMesh(t);
  const orders = await sides(t, mesh, 'orders', 'http', ['east-net']);
  const db = await sides(t, mesh, 'db', 'tcp', ['east-net']);
  const [http, tcp] = [await deadPort(), await deadPort()];
  const rules = trafficObjects('front', front(http, tcp), 'shop');
  const objects = (weight: number): readonly TrafficObject[] => [
    ...rules,
    trafficShift('shop/orders', weight),
    trafficShift('shop/db', weight),
  ];
  const meters = { orders: mesh.meters.meter(orders.service.key), db: mesh.meters.meter(db.service.key) };
  mesh.useIngress(orders.service, http);
  mesh.useIngress(db.service, tcp);
  await mesh.start([orders.service, db.service], objects(0), []);
  for (const caller of callers) {
    await until(`${caller} to reach all`, async () => {
      const agent = new Agent();
      const status = await get(mesh.port(caller, orders.service), agent);
      agent.destroy();
      return status === 200 && (await talk(mesh.port(caller, db.service))).startsWith('old');
    });
  }
  assert.equal(orders.came().to + db.came().to, 0, 'nothing before the first step');
  const told = () => {
    mesh.collect();
    return { orders: meters.orders.read(), db: meters.db.read() };
  };
  let errors = 0;
  for (const weight of weights) {
    mesh.set(objects(weight));
    assert.ok(mesh.behind(orders.service).length > 0, 'nobody has acknowledged it yet');
    await mesh.settled();
    assert.deepEqual(mesh.behind(orders.service), []);
    for (const caller of callers) {
      await ask(mesh.port(caller, orders.service), 500);
      const requests = orders.came();
      assert.equal(requests.from + requests.to, 500);
      within(requests.to, 500, weight, `requests by ${caller}`);
      for (let i = 0; i < 150; i++) assert.match(await talk(mesh.port(caller, db.service)), /^(old|new)/);
      const streams = db.came();
      assert.equal(streams.from + streams.to, 150);
      within(streams.to, 150, weight, `connections by ${caller}`);
    }
    // Whatever was tried before anybody was reached is counted too, and has come to nobody.
    await until('all of it is counted, and no more', () => {
      const now = told();
      for (const side of ['from', 'to'] as const) {
        assert.equal(now.orders[side].requests - now.orders[side].errors, orders.total[side]);
        assert.equal(now.db[side].connections - now.db[side].connectionErrors, db.total[side]);
      }
      return true;
    });
    const { from, to } = told().orders;
    if (weight === weights[0]) errors = from.errors + to.errors;
    else assert.equal(from.errors + to.errors, errors, 'none failed');
  }
  const before = told().db.to.connections;
  for (const backend of db.backends) backend.behave({ hold: true });
  const open = await Promise.all(
    (['isthmus', 'envoy'] as const).map(async (caller) => {
      const socket = connect(mesh.port(caller, db.service), '127.0.0.1', () => socket.write('hello'));
      onEnd(t, () => socket.destroy());
      await new Promise((resolve) => socket.once('data', resolve));
      return socket;
    }),
  );
  await until('streams that have not ended are counted', () => told().db.to.connections === before + 2);
  assert.ok(open.every((socket) => !socket.destroyed));
  const sources = told()
    .orders.callers.map(({ source }) => source.split('/').at(-1))
    .sort();
  assert.deepEqual(sources, ['gateway', 'ingress', 'till', 'web']);
  assert.deepEqual(await mesh.refused(), []);
});

test('1 of 100 stays so behind two networks in two zones with two gateways each, and what passes a gateway is not counted again', {
  timeout: 270_000,
}, async (t) => {
  const mesh = new CountedMesh(t);
  const networks = ['west-net', 'north-net'];
  const meter = mesh.meters.meter(serviceKey('shop', 'far'));
  const far = await sides(t, mesh, 'far', 'http', networks);
  await mesh.start([far.service], [trafficShift('shop/far', 0)], [...networks, ...networks]);
  const reached: readonly CallerName[] = ['isthmus', 'envoy', 'originate'];
  for (const caller of reached) {
    await until(`${caller} to reach it`, async () => {
      const agent = new Agent();
      const status = await get(mesh.port(caller, far.service), agent);
      agent.destroy();
      return status === 200;
    });
  }
  assert.equal(far.came().to, 0);
  mesh.set([trafficShift('shop/far', 1)]);
  await mesh.settled();
  for (const caller of reached) {
    await ask(mesh.port(caller, far.service), 2_000);
    const { from, to } = far.came();
    assert.equal(from + to, 2_000);
    within(to, 2_000, 1, caller);
  }
  await until('all of it is counted, once', () => {
    mesh.collect();
    const { from, to } = meter.read();
    assert.deepEqual([from.requests - from.errors, to.requests - to.errors], [far.total.from, far.total.to]);
    return true;
  });
  assert.deepEqual(await mesh.refused(), []);
});
