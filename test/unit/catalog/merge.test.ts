import assert from 'node:assert/strict';
import test from 'node:test';
import { emptyView, nextView } from '../../../control/catalog/build-view.ts';
import type { CatalogInput } from '../../../control/catalog/reducer.ts';
import { initialState, reduce } from '../../../control/catalog/reducer.ts';
import { MeshError } from '../../../core/errors.ts';
import type { EndpointRecord, ServiceRecord } from '../../../core/model/index.ts';
import { clusterId, serviceKey, sourceId } from '../../../core/model/index.ts';
import { endpoint, httpPort, service } from '../../support/mesh-records.ts';

const east = clusterId('east');
const west = clusterId('west');
const orders = serviceKey('shop', 'orders');

function source(id: string, claims: readonly string[] = ['*']): CatalogInput {
  return { kind: 'add-source', source: sourceId(id), scope: { claims, identityNamespaces: ['*'] }, at: 0 };
}

function peer(namespaces: readonly string[] = ['*']): CatalogInput {
  const claims = namespaces.map((n) => (n === '*' ? '*' : `${n}/*`));
  return { kind: 'add-peer', cluster: west, scope: { claims, identityNamespaces: namespaces } };
}

function says(id: string, services: readonly ServiceRecord[], cluster = east): CatalogInput {
  return { kind: 'event', cluster, source: sourceId(id), event: { kind: 'snapshot', services, cursor: '1' }, at: 1 };
}

function loses(id: string, cluster = east): CatalogInput {
  const error = new MeshError('REGISTRY_UNREACHABLE', 'gone');
  return { kind: 'event', cluster, source: sourceId(id), event: { kind: 'stale', error }, at: 2 };
}

function viewOf(...inputs: CatalogInput[]) {
  let state = initialState(east);
  let view = emptyView(east);
  for (const input of inputs) {
    const next = reduce(state, input);
    state = next.state;
    view = nextView(view, state, next.services, next.gateways).view;
  }
  return view;
}

function onlyEndpoint(view: ReturnType<typeof viewOf>) {
  const endpoints = view.services.get(orders)?.endpoints ?? [];
  assert.equal(endpoints.length, 1);
  return endpoints[0] as (typeof endpoints)[number];
}

test('two sources that both claim a name are one service', () => {
  const view = viewOf(
    source('consul/dc1'),
    source('nomad/global'),
    says('consul/dc1', [service('shop/orders', [endpoint('a')])]),
    says('nomad/global', [service('shop/orders', [endpoint('b', { address: '10.0.0.2' })])]),
  );
  const merged = view.services.get(orders);
  assert.deepEqual(
    merged?.endpoints.map((e) => e.key),
    ['east/consul/dc1/a', 'east/nomad/global/b'],
  );
  assert.deepEqual(merged?.conditions, []);
  assert.equal(view.withheld.size, 0);
});

test('the only source that claims a name gets it, and the other is shown as a collision', () => {
  const view = viewOf(
    source('consul/dc1', ['shop/*']),
    source('nomad/global', ['batch/*']),
    says('consul/dc1', [service('shop/orders', [endpoint('a')])]),
    says('nomad/global', [service('shop/orders', [endpoint('b', { address: '10.0.0.2' })])]),
  );
  const merged = view.services.get(orders);
  assert.deepEqual(
    merged?.endpoints.map((e) => e.source),
    ['consul/dc1'],
  );
  const [condition] = merged?.conditions ?? [];
  assert.equal(condition?.type, 'NameCollision');
  assert.match(condition?.message ?? '', /nomad\/global of east reports shop\/orders, and consul\/dc1 claims it/);
  assert.deepEqual(view.withheld.get(orders)?.[0]?.sources, ['nomad/global']);
});

test('a name that nobody claims is published by nobody', () => {
  const both = viewOf(
    source('consul/dc1', []),
    source('nomad/global', ['batch/*']),
    says('consul/dc1', [service('shop/orders', [endpoint('a')])]),
    says('nomad/global', [service('shop/orders', [endpoint('b')])]),
  );
  assert.equal(both.services.size, 0);
  assert.equal(both.withheld.get(orders)?.[0]?.reason, 'NameCollision');
  const alone = viewOf(source('consul/dc1', []), says('consul/dc1', [service('shop/orders', [endpoint('a')])]));
  assert.equal(alone.services.size, 0);
  assert.equal(alone.withheld.get(orders)?.[0]?.reason, 'NotClaimed');
});

test('a peer brings only services and identities of the namespaces it was given', () => {
  const foreign = endpoint('x', { identityNamespace: 'kube-system', address: '10.9.0.2' });
  const view = viewOf(
    peer(['shop']),
    says('consul/dc1', [service('shop/orders', [endpoint('a'), foreign]), service('bank/ledger', [endpoint('l')])], west),
  );
  assert.deepEqual(
    view.services.get(orders)?.endpoints.map((e) => e.instance),
    ['a'],
  );
  assert.equal(view.services.has(serviceKey('bank', 'ledger')), false);
  assert.equal(view.withheld.get(serviceKey('bank', 'ledger'))?.[0]?.reason, 'NamespaceNotAllowed');
});

test('a name exported by a peer is the same service as ours, and is not ours to export', () => {
  const view = viewOf(
    source('consul/dc1'),
    peer(),
    says('consul/dc1', [service('shop/orders', [endpoint('a')])]),
    says('nomad/global', [service('shop/orders', [endpoint('b', { network: 'west-net' })]), service('shop/pay', [endpoint('p')])], west),
  );
  assert.deepEqual(
    view.services.get(orders)?.endpoints.map((e) => e.cluster),
    ['east', 'west'],
  );
  assert.deepEqual(view.services.get(orders)?.networks, ['east-net', 'west-net']);
  assert.deepEqual(
    view.local.get(orders)?.endpoints.map((e) => e.cluster),
    ['east'],
  );
  assert.equal(view.local.has(serviceKey('shop', 'pay')), false);
});

test('the oldest contribution decides a port, ties by cluster name, and the loser serves the ports that agree', () => {
  const metrics = { name: 'metrics', port: 9090, protocol: 'http' } as const;
  const local = service('shop/orders', [endpoint('a', { ports: { http: 8080, metrics: 9 } })], {
    ports: [httpPort, metrics],
    createdAt: 2_000,
  });
  const remotePorts = [
    { name: 'http', port: 8443, protocol: 'http' },
    { name: 'prom', port: 9090, protocol: 'http' },
  ] as const;
  const remoteEndpoint = endpoint('b', { network: 'west-net', ports: { http: 1, prom: 2 } });
  const older = (createdAt: number) =>
    viewOf(
      source('consul/dc1'),
      peer(),
      says('consul/dc1', [local]),
      says('consul/dc1', [service('shop/orders', [remoteEndpoint], { ports: remotePorts, createdAt })], west),
    ).services.get(orders);
  const remoteWins = older(1_999);
  assert.deepEqual(
    remoteWins?.ports.map((p) => `${p.name}:${p.port}`),
    ['http:8443', 'prom:9090'],
  );
  assert.deepEqual(
    remoteWins?.endpoints.map((e) => e.ports),
    [{ prom: 9 }, { http: 1, prom: 2 }],
  );
  const tie = older(2_000);
  assert.deepEqual(
    tie?.ports.map((p) => `${p.name}:${p.port}`),
    ['http:80', 'metrics:9090'],
  );
  assert.deepEqual(
    tie?.endpoints.map((e) => e.ports),
    [{ http: 8080, metrics: 9 }, { metrics: 2 }],
  );
  const [conflict] = tie?.conditions ?? [];
  assert.equal(conflict?.type === 'PortConflict' && conflict.cluster, 'west');
  assert.match(conflict?.message ?? '', /west\/consul\/dc1 says http 8443\/http, but east\/consul\/dc1 is older and says http 80\/http/);
});

test('a port whose protocol differs is a conflict', () => {
  const tcp = service('shop/orders', [endpoint('b', { address: '10.0.0.2' })], {
    ports: [{ name: 'http', port: 80, protocol: 'tcp' }],
    createdAt: 5_000,
  });
  const view = viewOf(source('consul/dc1'), source('vm'), says('consul/dc1', [service('shop/orders', [endpoint('a')])]), says('vm', [tcp]));
  const merged = view.services.get(orders);
  assert.deepEqual(merged?.ports, [httpPort]);
  assert.deepEqual(
    merged?.endpoints.map((e) => e.ports),
    [{ http: 8080 }, {}],
  );
  assert.equal(merged?.conditions[0]?.type, 'PortConflict');
});

test('one location from several sources is one endpoint: the attested wins, health is ANDed, labels keep their provenance', () => {
  const cases: readonly [EndpointRecord['health'], EndpointRecord['health'], EndpointRecord['health']][] = [
    ['healthy', 'healthy', 'healthy'],
    ['healthy', 'unhealthy', 'unhealthy'],
    ['unhealthy', 'draining', 'unhealthy'],
    ['draining', 'healthy', 'draining'],
    ['unknown', 'healthy', 'healthy'],
    ['unknown', 'unknown', 'unknown'],
  ];
  for (const [said, attested, expected] of cases) {
    const view = viewOf(
      source('consul/dc1'),
      source('vm'),
      says('consul/dc1', [service('shop/orders', [endpoint('node-7', { health: said, tlsMode: 'none', labels: { v: '1', dc: 'dc1' } })])]),
      says('vm', [service('shop/orders', [endpoint('vm-1', { health: attested, attested: true, labels: { v: '2' } })])]),
    );
    const merged = onlyEndpoint(view);
    assert.equal(merged.key, 'east/vm/vm-1');
    assert.equal(merged.tlsMode, 'mesh');
    assert.equal(merged.health, expected, `${said} and ${attested}`);
    assert.deepEqual(merged.labels, { v: '2', dc: 'dc1' });
    assert.deepEqual(
      merged.provenance.map((p) => [p.source, p.labels]),
      [
        ['vm', { v: '2' }],
        ['consul/dc1', { v: '1', dc: 'dc1' }],
      ],
    );
  }
});

test('what a peer says that its other sources know too is in the provenance, alone and beside our own record', () => {
  const told = endpoint('a', { attested: true, otherSources: [sourceId('consul/dc1')] });
  const known = (view: ReturnType<typeof viewOf>) => onlyEndpoint(view).provenance.map((p) => `${p.cluster}/${p.source}`);
  const alone = viewOf(peer(), says('vm', [service('shop/orders', [told])], west));
  assert.deepEqual(known(alone), ['west/vm', 'west/consul/dc1']);
  const both = viewOf(
    peer(),
    source('file/x'),
    says('vm', [service('shop/orders', [told])], west),
    says('file/x', [service('shop/orders', [endpoint('b')])]),
  );
  assert.deepEqual(known(both), ['west/vm', 'west/consul/dc1', 'east/file/x']);
});

test('one address in two networks is two endpoints', () => {
  const view = viewOf(
    source('consul/dc1'),
    source('nomad/global'),
    says('consul/dc1', [service('shop/orders', [endpoint('a')])]),
    says('nomad/global', [service('shop/orders', [endpoint('a', { network: 'other-net' })])]),
  );
  assert.equal(view.services.get(orders)?.endpoints.length, 2);
});

test("a lost source's health does not outweigh a live one's, and its endpoint is live while another vouches for it", () => {
  const inputs = [
    source('consul/dc1'),
    source('vm'),
    says('consul/dc1', [service('shop/orders', [endpoint('node-7', { health: 'unhealthy' })])]),
    says('vm', [service('shop/orders', [endpoint('vm-1', { attested: true })])]),
  ];
  assert.equal(onlyEndpoint(viewOf(...inputs)).health, 'unhealthy');
  const lost = onlyEndpoint(viewOf(...inputs, loses('consul/dc1')));
  assert.deepEqual([lost.health, lost.state], ['healthy', 'live']);
  const both = onlyEndpoint(viewOf(...inputs, loses('consul/dc1'), loses('vm')));
  assert.deepEqual([both.health, both.state], ['unhealthy', 'stale']);
});

test('labels such as __proto__ are plain keys', () => {
  const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
  const view = viewOf(source('file'), says('file', [service('shop/orders', [endpoint('a', { labels })], { labels })]));
  assert.equal(Object.getPrototypeOf(view.services.get(orders)?.labels ?? {}), Object.prototype);
  assert.equal(view.services.get(orders)?.labels['constructor'], 'y');
});
