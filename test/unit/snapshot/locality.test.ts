import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignEndpoints } from '../../../control/snapshot/assign-endpoints.ts';
import { clientPlace } from '../../../control/snapshot/client-place.ts';
import { farness, matchesLocality } from '../../../control/snapshot/locality-rank.ts';
import type { LocalityPolicy } from '../../../core/config/index.ts';
import { networkId, parseLocality } from '../../../core/model/index.ts';
import { type EndpointSketch, gatewayOf, httpPort, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const silent: LocalityPolicy = { enabled: true, distribute: [], failover: [], failoverPriority: [] };
const gateways = [gatewayOf('b', 'west', ['192.0.2.1']), gatewayOf('c', 'west', ['192.0.2.3']), gatewayOf('d', 'east', ['192.0.2.4'])];

/** Endpoints at 10.0.0.N on network a unless said otherwise, seen from network a. */
function assign(from: string, endpoints: readonly (Partial<EndpointSketch> & { readonly at?: string })[], locality?: LocalityPolicy) {
  const sketches = endpoints.map(({ at = '', ...rest }, i) => ({
    instance: `e${i}`,
    address: `10.0.0.${i}`,
    locality: parseLocality(at),
    ...rest,
  }));
  const service = serviceOf('orders', sketches);
  const place = clientPlace({ kind: 'agent', network: networkId('a'), locality: from }, inputsOf(viewOf([service], gateways)));
  const policies = new Map(locality === undefined ? [] : [[8080, { locality }]]);
  return assignEndpoints({ service, port: httpPort, target: { name: '', policies }, place });
}

const order = (list: ReturnType<typeof assign>) => list.endpoints.map((e) => `${e.priority} ${e.locality || e.address}`);

test('without any rule the nearest come first: subzone, zone, region, another region', () => {
  const everywhere = [{ at: 'us/c/1' }, { at: 'eu/b/1' }, { at: 'eu/a/2' }, { at: 'eu/a/1' }];
  assert.deepEqual(order(assign('eu/a/1', everywhere)), ['0 eu/a/1', '1 eu/a/2', '2 eu/b/1', '3 us/c/1']);
  assert.deepEqual(
    order(assign('eu/b', everywhere)),
    ['0 eu/b/1', '1 eu/a/2', '1 eu/a/1', '2 us/c/1'],
    'what has no subzone is in another',
  );
});

test('near behind a gateway before far on the own network; of what is equally near the direct ones, then own gateways, then peers', () => {
  const found = assign('eu/a', [
    { at: 'us/c' },
    { at: 'eu/a', network: 'b', cluster: 'west' },
    { at: 'eu/b' },
    { at: 'eu/b', network: 'c', cluster: 'west' },
    { at: 'eu/b', network: 'd' },
  ]);
  assert.deepEqual(
    found.endpoints.map((e) => e.address),
    ['192.0.2.1', '10.0.0.2', '192.0.2.4', '192.0.2.3', '10.0.0.0'],
  );
});

test('of an unknown place the network alone counts: the own one is the same region, any other is another', () => {
  const found = assign('eu/a', [{ at: 'us/c' }, {}, { network: 'b', cluster: 'west' }, { at: 'eu/b' }]);
  assert.deepEqual(order(found), ['0 10.0.0.1', '0 eu/b', '1 us/c', '2 192.0.2.1']);
  assert.deepEqual(order(assign('', [{ at: 'us/c' }, { at: 'eu/a', network: 'b', cluster: 'west' }])), ['0 us/c', '1 eu/a']);
});

test('what is stale comes after all that is live, however near', () => {
  const found = assign('eu/a', [
    { at: 'eu/a', state: 'stale' },
    { at: 'us/c' },
    { at: 'us/c', state: 'stale', network: 'b', cluster: 'west' },
  ]);
  assert.deepEqual(order(found), ['0 us/c', '1 eu/a', '2 us/c']);
});

test('disabled: the way there alone decides', () => {
  const off = assign('eu/a', [{ at: 'us/c' }, { at: 'eu/a' }, { at: 'eu/a', network: 'b', cluster: 'west' }], {
    ...silent,
    enabled: false,
  });
  assert.deepEqual(order(off), ['0 us/c', '0 eu/a', '1 eu/a']);
});

test('failover names the region to go to first; the others follow', () => {
  const all = [{ at: 'ap/x' }, { at: 'us/c' }, { at: 'eu/b' }];
  assert.deepEqual(order(assign('eu/a', all, { ...silent, failover: [{ from: 'eu', to: 'us' }] })), ['0 eu/b', '1 us/c', '2 ap/x']);
  assert.deepEqual(order(assign('eu/a', all, { ...silent, failover: [{ from: 'us', to: 'ap' }] })), ['0 eu/b', '1 ap/x', '1 us/c']);
});

test('failoverPriority: the more of the first labels fit, the nearer; values may be written, and what is not known fits nothing', () => {
  const keys = ['topology.istio.io/network', 'version=v2', 'topology.kubernetes.io/zone'];
  const found = assign(
    'eu/a',
    [
      { at: 'eu/a', labels: { version: 'v1' } },
      { at: 'eu/b', labels: { version: 'v2' } },
      { at: 'eu/a', labels: { version: 'v2' } },
      { at: 'eu/a', labels: { version: 'v2' }, network: 'b', cluster: 'west' },
    ],
    { ...silent, failoverPriority: keys },
  );
  assert.deepEqual(
    found.endpoints.map((e) => [e.priority, e.address]),
    [
      [0, '10.0.0.2'],
      [1, '10.0.0.1'],
      [2, '10.0.0.0'],
      [3, '192.0.2.1'],
    ],
  );
  const unknown = { ...silent, failoverPriority: ['team'] };
  assert.deepEqual(order(assign('', [{ labels: { team: 'x' } }, {}], unknown)), ['0 10.0.0.0', '0 10.0.0.1']);
  const from = { network: 'a', cluster: 'east', locality: '', labels: { team: 'x' } };
  const to = (labels: Record<string, string>) => farness(from, { ...from, labels }, unknown);
  assert.ok(to({ team: 'x' }) < to({ team: 'y' }) && to({ team: 'y' }) === to({}));
});

test('distribute takes one priority by its shares; the rest is failed over to, nearest first', () => {
  const rule: LocalityPolicy = {
    ...silent,
    distribute: [
      { from: 'us/*', to: { 'us/*': 100 } },
      { from: 'eu/*', to: { 'eu/*': 80, 'us/c/*': 20, 'us/*': 0 } },
    ],
    failover: [{ from: 'eu', to: 'ap' }],
  };
  const found = assign(
    'eu/a',
    [
      { at: 'eu/a' },
      { at: 'eu/b' },
      { at: 'eu/b' },
      { at: 'us/c', network: 'b', cluster: 'west' },
      { at: 'us/d' },
      { at: 'ap/x' },
      { at: 'eu/a', state: 'stale' },
    ],
    rule,
  );
  assert.deepEqual(
    found.endpoints.map((e) => [e.priority, e.locality, e.stale]),
    [
      [0, 'eu/a', false],
      [0, 'eu/b', false],
      [0, 'eu/b', false],
      [0, 'us/c', false],
      [1, 'ap/x', false],
      [2, 'us/d', false],
      [3, 'eu/a', true],
    ],
  );
  // 80 over three endpoints in two zones, 20 on its own: 80/3, 160/3, 20.
  assert.deepEqual(found.localities, [
    { priority: 0, locality: 'eu/a', weight: 4 },
    { priority: 0, locality: 'eu/b', weight: 8 },
    { priority: 0, locality: 'us/c', weight: 3 },
    { priority: 3, locality: 'eu/a', weight: 1 },
  ]);
  assert.equal(assign('eu/a', [{ at: 'eu/a' }], { ...rule, enabled: false }).localities, undefined);
  assert.equal(assign('ap/x', [{ at: 'eu/a' }], rule).localities, undefined, 'nothing is said from there');
});

test('of two patterns that fit a locality the one that says more counts', () => {
  const found = assign('eu/a', [{ at: 'eu/a' }, { at: 'eu/b' }, { at: 'us/c' }], {
    ...silent,
    distribute: [{ from: '*', to: { '*': 10, 'eu/*': 30, 'eu/a/*': 60 } }],
  });
  assert.deepEqual(
    found.localities?.map((l) => [l.locality, l.weight]),
    [
      ['eu/a', 6],
      ['eu/b', 3],
      ['us/c', 1],
    ],
  );
});

test('several localities behind one gateway stand where most of their weight is, whatever its health', () => {
  const west = { network: 'b', cluster: 'west' };
  const backends = (health: 'healthy' | 'unhealthy') => [
    { ...west, at: 'eu/b', health },
    { ...west, at: 'eu/b', health },
    { ...west, at: 'us/c' },
  ];
  for (const health of ['healthy', 'unhealthy'] as const) {
    const [only, ...more] = assign('eu/a', backends(health)).endpoints;
    assert.deepEqual([only?.locality, more.length], ['eu/b', 0]);
  }
});

test('patterns of localities', () => {
  for (const pattern of ['*', 'eu', 'eu/*', 'eu/a', 'eu/a/*', 'eu/a/1', 'eu/*/1']) assert.ok(matchesLocality(pattern, 'eu/a/1'), pattern);
  for (const pattern of ['us', 'eu/b', 'eu/a/2', 'e']) assert.ok(!matchesLocality(pattern, 'eu/a/1'), pattern);
  assert.ok(matchesLocality('*', '') && !matchesLocality('eu', ''));
});
