import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CatalogView, SourceStatus } from '../../../control/catalog/index.ts';
import { planPublishing, switchedKey } from '../../../control/publish/index.ts';
import { clusterId, type ServicePort, sourceId } from '../../../core/model/index.ts';
import { gatewayOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const range = [16_000, 16_009] as const;
const consul = { id: 'file/test', network: 'a' };
const kubernetes = { id: 'kubernetes/prod', network: 'a' };
const remote = (name: string, ports?: readonly ServicePort[]) =>
  serviceOf(name, [{ instance: `${name}-1`, cluster: 'west', network: 'b' }], ports);
const local = serviceOf('orders', [{ instance: 'o1' }]);
const start = { table: new Map(), freed: new Map(), range, now: 1_000 };

function status(state: SourceStatus['state'], restored = false): SourceStatus {
  const base = {
    cluster: clusterId('east'),
    source: sourceId('file/test'),
    epoch: 1,
    revision: 1,
    cursor: '',
    since: 0,
    services: 0,
    endpoints: 0,
  };
  return { ...base, state, restored };
}
const withSources = (view: CatalogView, ...sources: SourceStatus[]): CatalogView => ({ ...view, sources });

test('imported services get a port each and are published everywhere; a registry that knows a service itself is left alone', () => {
  const view = viewOf([local, remote('payments')], [gatewayOf('a', 'east', ['192.0.2.1'])]);
  const plan = planPublishing({ ...start, view, publishers: [consul, kubernetes] });
  assert.deepEqual(
    plan.published.get('file/test')?.map((s) => [s.name, s.ports[0]?.gatewayPort, s.gatewayAddresses]),
    [['payments', 16_001, ['192.0.2.1']]],
  );
  assert.deepEqual(
    plan.published.get('kubernetes/prod')?.map((s) => s.name),
    ['orders', 'payments'],
  );
});

test('without a publishing registry, imported services alone get ports', () => {
  const plan = planPublishing({ ...start, view: viewOf([local, remote('payments')]), publishers: [] });
  assert.deepEqual([...plan.table.keys()], ['shop/payments:8080']);
});

test('a service whose own name leads to gateways has ports though its registry knows it, keeps them, and is published under no other name', () => {
  const view = viewOf([local], [gatewayOf('a', 'east', ['192.0.2.1']), gatewayOf('b', 'east', ['192.0.2.2'])]);
  const names = [{ service: local.key, registry: 'file/test', network: 'a' }];
  const plan = planPublishing({ ...start, view, publishers: [consul], names });
  const ports = [{ name: 'http', port: 8080, protocol: 'http', gatewayPort: 16_000 }];
  assert.deepEqual(plan.switched.get(switchedKey({ registry: 'file/test', service: local.key })), {
    namespace: 'shop',
    name: 'orders',
    ports,
    gatewayAddresses: ['192.0.2.1'],
  });
  assert.deepEqual(plan.published.get('file/test'), []);
  const without = planPublishing({ ...start, ...plan, view, publishers: [consul], now: 2_000 });
  assert.deepEqual([without.table.size, without.switched.size], [0, 0]);
  const again = planPublishing({ ...start, ...without, view: viewOf([local, remote('a')]), publishers: [], names, now: 3_000 });
  assert.equal(again.table.get('shop/orders:8080')?.gatewayPort, 16_000, 'callers remember ports');
  const unknown = planPublishing({ ...start, view: viewOf([]), publishers: [], names });
  assert.equal(unknown.switched.size, 0);
});

test('while any source has not spoken since the start, nothing is withdrawn; after that it is, and its port rests 24 h', () => {
  const first = planPublishing({ ...start, view: viewOf([remote('payments')]), publishers: [kubernetes] });
  const gone = viewOf([]);
  for (const waiting of [status('unknown'), status('stale', true)]) {
    const held = planPublishing({ ...start, ...first, view: withSources(gone, waiting), publishers: [kubernetes] });
    assert.deepEqual(held.table, first.table);
    assert.equal(held.published.get('kubernetes/prod')?.length, 1);
  }
  const withdrawn = planPublishing({ ...start, ...first, view: withSources(gone, status('live')), publishers: [kubernetes] });
  assert.deepEqual([withdrawn.table.size, withdrawn.published.get('kubernetes/prod')], [0, []]);
  const soon = planPublishing({ ...start, ...withdrawn, now: 2_000, view: viewOf([remote('other')]), publishers: [kubernetes] });
  assert.equal(soon.table.get('shop/other:8080')?.gatewayPort, 16_001);
  const back = planPublishing({ ...start, ...withdrawn, now: 2_000, view: viewOf([remote('alpha'), remote('payments')]), publishers: [] });
  assert.deepEqual(
    [...back.table].map(([key, { gatewayPort }]) => [key, gatewayPort]),
    [
      ['shop/payments:8080', 16_000],
      ['shop/alpha:8080', 16_001],
    ],
    'a service that returns finds its own port, as its callers do',
  );
  assert.equal(back.freed.size, 0);
  const later = planPublishing({
    ...start,
    ...withdrawn,
    now: 1_000 + 25 * 3_600_000,
    view: viewOf([remote('other')]),
    publishers: [kubernetes],
  });
  assert.equal(later.table.get('shop/other:8080')?.gatewayPort, 16_000);
});

test('ports are stable, unique and in range whatever comes and goes; what gets none is named', () => {
  const names = fc.uniqueArray(fc.constantFrom(...'abcdefghijklmn'.split('')), { maxLength: 14 });
  fc.assert(
    fc.property(fc.array(names, { maxLength: 8 }), (history) => {
      let state: Pick<ReturnType<typeof planPublishing>, 'table' | 'freed'> = start;
      for (const present of history) {
        const view = withSources(viewOf(present.map((n) => remote(n))), status('live'));
        const next = planPublishing({ ...start, ...state, view, publishers: [kubernetes] });
        const ports = [...next.table.values()].map((r) => r.gatewayPort);
        assert.equal(new Set(ports).size, ports.length);
        assert.ok(ports.every((p) => p >= range[0] && p <= range[1]));
        for (const [key, record] of next.table) {
          const before = state.table.get(key);
          if (before !== undefined) assert.equal(record.gatewayPort, before.gatewayPort);
          assert.ok(!next.freed.has(record.gatewayPort));
        }
        assert.equal(next.table.size + next.exhausted.length, present.length);
        state = next;
      }
    }),
  );
});

test('only gateways of this cluster on the network of the registry are named, healthy ones first', () => {
  const gateways = [
    gatewayOf('a', 'east', ['192.0.2.1'], { healthy: false }),
    gatewayOf('a', 'east', ['192.0.2.2']),
    gatewayOf('a', 'west', ['192.0.2.3']),
    gatewayOf('b', 'west', ['192.0.2.4']),
  ];
  const plan = planPublishing({ ...start, view: viewOf([remote('payments')], gateways), publishers: [kubernetes] });
  assert.deepEqual(plan.published.get('kubernetes/prod')?.[0]?.gatewayAddresses, ['192.0.2.2']);
});
