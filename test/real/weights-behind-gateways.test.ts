import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import test, { type TestContext } from 'node:test';
import type { MergedService } from '../../control/catalog/index.ts';
import { parseLocality, serviceKey } from '../../core/model/index.ts';
import { type EndpointSketch, serviceOf } from '../support/catalog-view.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { Backend } from './routing-fields/backend.ts';
import { Bed, proxyNames } from './routing-fields/bed.ts';
import { svidOf } from './routing-fields/certificates.ts';
import { trafficObjects } from './routing-fields/objects.ts';

/** Instances, by name, each in a zone of its network's own; the caller is in another region, so that neither is nearer. */
const zones: Readonly<Record<string, string>> = { 'west-net': 'r2/z1/s1', 'north-net': 'r2/z2/s1' };

const objects = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: v1}, weight: 99}, {destination: {host: reviews, subset: v2}, weight: 1}]}]
`;

interface Sketch {
  readonly network: string;
  readonly version: string;
  readonly weight?: number;
}

async function service(t: TestContext, bed: Bed, name: string, sketches: readonly Sketch[]): Promise<MergedService> {
  const endpoints = sketches.map(async ({ network, version, weight = 1 }): Promise<EndpointSketch> => {
    const backend = new Backend(`${network} ${version}`);
    onEnd(t, () => backend.close());
    const port = await backend.listen('http', svidOf(bed.pki, 'shop', name));
    const labels = { version };
    const locality = parseLocality(zones[network] ?? '');
    return {
      instance: `${name}-${network}-${version}`,
      network,
      address: '127.0.0.1',
      ports: { p80: port },
      serviceAccount: name,
      locality,
      labels,
      weight,
    };
  });
  const made = serviceOf(name, await Promise.all(endpoints), [{ name: 'p80', port: 80, protocol: 'http' }]);
  return { ...made, key: serviceKey('shop', name) };
}

/** Who answers: one request after the other, on connections that are kept. */
async function shares(port: number, host: string, requests: number): Promise<ReadonlyMap<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () =>
    new Promise<string>((resolve) => {
      const asked = request({ host: '127.0.0.1', port, agent, headers: { host } }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode === 200 ? String(response.headers['x-by']) : `${response.statusCode}`));
        response.on('error', () => resolve('broken off'));
      });
      asked.on('error', (error) => resolve(error.message));
      asked.end();
    });
  await until('an answer', async () => (await ask()).includes('net'));
  const found = new Map<string, number>();
  for (let i = 0; i < requests; i++) {
    const by = await ask();
    found.set(by, (found.get(by) ?? 0) + 1);
  }
  agent.destroy();
  return found;
}

/** 1 of 100, within 6 standard deviations: neither 0 nor 2 of 100 is. */
function assertOnePercent(found: ReadonlyMap<string, number>, of: string): void {
  const all = [...found.values()].reduce((sum, n) => sum + n, 0);
  const is = [...found].reduce((sum, [by, n]) => (by.includes(of) ? sum + n : sum), 0);
  const bound = 6 * Math.sqrt(all * 0.01 * 0.99);
  assert.ok(Math.abs(is - all * 0.01) <= bound, `${is} of ${all} by ${of}: ${JSON.stringify([...found])}`);
  assert.deepEqual(
    [...found.keys()].filter((by) => !by.includes('-net')),
    [],
  );
}

const requests = 6_000;

test('99 to 1 stays so behind two networks in two zones, each with two gateways', { timeout: 300_000 }, async (t) => {
  const bed = new Bed(t);
  const networks = Object.keys(zones);
  const services = await Promise.all([
    service(
      t,
      bed,
      'reviews',
      networks.flatMap((network) => ['v1', 'v2'].map((version) => ({ network, version }))),
    ),
    service(t, bed, 'ratings', [
      { network: 'west-net', version: 'v1', weight: 99 },
      { network: 'north-net', version: 'v1', weight: 1 },
    ]),
  ]);
  await bed.start(
    services,
    trafficObjects('weights', objects, 'shop'),
    networks.flatMap((network) => [network, network]),
  );
  for (const proxy of proxyNames) {
    await t.test(`subsets by the weights of a route (${proxy})`, async () => {
      const found = await shares(bed.port('shop/reviews', 80, proxy), 'reviews', requests);
      assertOnePercent(found, 'v2');
      const both = networks.map((network) => found.get(`${network} v1`) ?? 0);
      const bound = 6 * Math.sqrt(requests * 0.5 * 0.5);
      assert.ok(bed.gatewayConnections.length === 4 && bed.gatewayConnections.every((n) => n > 0), `${bed.gatewayConnections}`);
      for (const each of both) assert.ok(Math.abs(each - (requests * 0.99) / 2) <= bound, JSON.stringify([...found]));
    });
    await t.test(`networks by the weights of endpoints (${proxy})`, async () => {
      assertOnePercent(await shares(bed.port('shop/ratings', 80, proxy), 'ratings', requests), 'north-net');
    });
  }
  assert.deepEqual(await bed.refused(), []);
});
