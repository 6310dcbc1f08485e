import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CatalogView } from '../../../control/catalog/index.ts';
import { assignEndpoints } from '../../../control/snapshot/assign-endpoints.ts';
import { clientPlace } from '../../../control/snapshot/client-place.ts';
import { networkId } from '../../../core/model/index.ts';
import { type EndpointSketch, gatewayOf, httpPort, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const outlier = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
};

function assign(
  endpoints: readonly EndpointSketch[],
  gateways: CatalogView['gateways'] extends ReadonlyMap<unknown, infer G> ? G : never,
  network = 'a',
) {
  const service = serviceOf('orders', endpoints);
  const view = viewOf([service], gateways);
  const place = clientPlace({ kind: 'agent', network: networkId(network) }, inputsOf(view));
  return assignEndpoints({ service, port: httpPort, target: { name: '' }, place }).endpoints;
}

test('own network directly, with the identity to demand; plaintext where there is no sidecar', () => {
  const [mesh, plain] = assign(
    [
      { instance: 'm', address: '10.0.0.1' },
      { instance: 'p', address: '10.0.0.2', tlsMode: 'none' },
    ],
    [],
  );
  assert.deepEqual([mesh?.address, mesh?.port, mesh?.viaGateway], ['10.0.0.1', 9090, false]);
  assert.deepEqual(mesh?.tls, {
    sni: 'outbound_.8080_._.orders.shop.mesh.internal',
    uriSans: ['spiffe://mesh.test/ns/shop/sa/orders'],
    clusterSan: 'east.cluster.mesh.test',
  });
  assert.equal(plain?.tls, undefined);
});

test('another network only through its gateways: one entry per address and mTLS end, never a raw address', () => {
  const west = (instance: string, more: Partial<EndpointSketch> = {}) => ({
    instance,
    cluster: 'west',
    network: 'b',
    address: '10.9.9.9',
    ...more,
  });
  const list = assign(
    [west('1'), west('2', { serviceAccount: 'orders-v2' }), west('3', { tlsMode: 'none' })],
    [gatewayOf('b', 'west', ['192.0.2.1', '192.0.2.2']), gatewayOf('b', 'west', ['192.0.2.3'])],
  );
  assert.deepEqual([...new Set(list.map((e) => e.address))].sort(), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  assert.equal(list.length, 6);
  const passthrough = list.filter((e) => e.tls?.sni === 'outbound_.8080_._.orders.shop.mesh.internal');
  assert.deepEqual(passthrough[0]?.tls?.uriSans, ['spiffe://mesh.test/ns/shop/sa/orders', 'spiffe://mesh.test/ns/shop/sa/orders-v2']);
  const terminate = list.filter((e) => e.tls?.sni === 'outbound_.8080_.gateway_.orders.shop.mesh.internal');
  assert.deepEqual(terminate[0]?.tls?.uriSans, ['spiffe://mesh.test/ns/isthmus-system/sa/gateway']);
  assert.equal(terminate[0]?.tls?.clusterSan, 'west.cluster.mesh.test');
  // Two passthrough backends to one terminate backend.
  assert.equal(passthrough[0]?.weight, 2 * (terminate[0]?.weight ?? 0));
});

test('behind a gateway every workload that it may lead to is expected, whatever its health was when last heard of', () => {
  const west = { cluster: 'west', network: 'b' };
  const list = assign(
    [
      { ...west, instance: '1' },
      { ...west, instance: '2', serviceAccount: 'orders-v2', health: 'unhealthy' },
      { ...west, instance: '3', serviceAccount: 'orders-v3', state: 'stale' },
      { cluster: 'north', network: 'b', instance: '4', serviceAccount: 'not-west' },
    ],
    [gatewayOf('b', 'west', ['192.0.2.1'])],
  );
  const ids = ['orders', 'orders-v2', 'orders-v3'].map((sa) => `spiffe://mesh.test/ns/shop/sa/${sa}`);
  assert.deepEqual(
    list.map((e) => [e.priority, e.stale, e.weight, e.tls?.uriSans]),
    [
      [0, false, 1, ids],
      [1, true, 1, ids],
    ],
  );
});

test('without a gateway of its network and cluster an endpoint is left out, and a draining gateway takes nothing', () => {
  const remote = [{ instance: '1', cluster: 'west', network: 'b' }];
  assert.deepEqual(assign(remote, []), []);
  assert.deepEqual(assign(remote, [gatewayOf('b', 'north', ['192.0.2.9'])]), []);
  assert.deepEqual(assign(remote, [gatewayOf('b', 'west', ['192.0.2.1'], { draining: true })]), []);
  assert.equal(
    assign(remote, [gatewayOf('b', 'west', ['192.0.2.1'], { healthy: false })]).length,
    1,
    'the last gateway is tried even when it looks down',
  );
  const both = assign(remote, [gatewayOf('b', 'west', ['192.0.2.1'], { healthy: false }), gatewayOf('b', 'west', ['192.0.2.2'])]);
  assert.deepEqual(
    both.map((e) => e.address),
    ['192.0.2.2'],
  );
});

test('near before far before stale, priorities contiguous from 0', () => {
  const gateways = [gatewayOf('b', 'west', ['192.0.2.1']), gatewayOf('c', 'east', ['192.0.2.2'])];
  const list = assign(
    [
      { instance: 'far', cluster: 'west', network: 'b' },
      { instance: 'own', network: 'c' },
      { instance: 'lost', cluster: 'west', network: 'b', state: 'stale' },
      { instance: 'lost-near', address: '10.0.0.7', state: 'stale' },
    ],
    gateways,
  );
  assert.deepEqual(
    list.map((e) => [e.priority, e.address, e.stale]),
    [
      [0, '192.0.2.2', false],
      [1, '192.0.2.1', false],
      [2, '10.0.0.7', true],
      [3, '192.0.2.1', true],
    ],
  );
});

test('unhealthy ones are told as such; draining ones stay with weight 0; unknown counts only while nothing is known healthy', () => {
  const health = (list: ReturnType<typeof assign>) =>
    list.map((e) => `${e.instance}:${e.weight}${e.unhealthy === true ? ' unhealthy' : ''}`);
  assert.deepEqual(
    health(
      assign(
        [
          { instance: 'up' },
          { instance: 'down', address: '10.0.0.2', health: 'unhealthy' },
          { instance: 'going', address: '10.0.0.3', health: 'draining' },
        ],
        [],
      ),
    ),
    ['up:1', 'down:1 unhealthy', 'going:0'],
  );
  const unknown = { instance: 'new', address: '10.0.0.2', health: 'unknown' } as const;
  assert.deepEqual(health(assign([{ instance: 'up' }, unknown], [])), ['up:1', 'new:1 unhealthy']);
  assert.deepEqual(health(assign([unknown], [])), ['new:1']);
  assert.equal('unhealthy' in (assign([{ instance: 'up' }], [])[0] ?? {}), false);
});

test('where nobody is sound nobody is told, but to clients that are to panic', () => {
  const down = serviceOf('orders', [{ instance: 'down', health: 'unhealthy' }]);
  const place = clientPlace({ kind: 'agent', network: networkId('a') }, inputsOf(viewOf([down])));
  const told = (minHealthPercent: number) => {
    const policies = new Map([[8080, { traffic: { outlier: { ...outlier, minHealthPercent } } }]]);
    return assignEndpoints({ service: down, port: httpPort, target: { name: '', policies }, place }).endpoints.map((e) => e.unhealthy);
  };
  assert.deepEqual(assign([{ instance: 'down', health: 'unhealthy' }], []), []);
  assert.deepEqual([told(0), told(30)], [[], [true]]);
});

test('an unhealthy endpoint keeps its place among priorities, so that a client sees how sick that place is', () => {
  const list = assign(
    [
      { instance: 'near', health: 'unhealthy' },
      { instance: 'far', cluster: 'west', network: 'b' },
      { instance: 'sick', cluster: 'west', network: 'b', health: 'unhealthy' },
    ],
    [gatewayOf('b', 'west', ['192.0.2.1'])],
  );
  assert.deepEqual(
    list.map((e) => [e.priority, e.address, e.unhealthy]),
    [
      [0, '10.0.0.1', true],
      [1, '192.0.2.1', undefined],
    ],
    'the gateway itself leaves out what is behind it',
  );
});

test('of what a crash loop left behind only so much is told, in each locality by itself', () => {
  const locality = (zone: string) => ({ region: 'eu', zone, subzone: '' });
  const wrecks = (zone: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      instance: `${zone}${i}`,
      address: `10.0.${zone === 'a' ? 1 : 2}.${i}`,
      health: 'unhealthy' as const,
      locality: locality(zone),
    }));
  const sound = Array.from({ length: 5 }, (_, i) => ({ instance: `s${i}`, address: `10.0.0.${i}`, locality: locality('a') }));
  const told = assign([...sound, ...wrecks('a', 200), ...wrecks('b', 200)], []).filter((e) => e.unhealthy === true);
  assert.deepEqual(
    ['eu/a', 'eu/b'].map((where) => told.filter((e) => e.locality === where).length),
    [20, 16],
  );
});
