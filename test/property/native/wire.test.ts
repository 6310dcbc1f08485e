import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nativeDialect } from '../../../control/snapshot/encode-native.ts';
import type { AssignmentIr, EndpointIr, IrOf, ResourceKind } from '../../../control/snapshot/ir.ts';
import { seal } from '../../../control/snapshot/seal.ts';
import { native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { type DataPlaneState, StateStore } from '../../../gateway/index.ts';
import { allOf } from '../../support/arbitraries/optional.ts';
import { ingressListeners, routings } from '../../support/arbitraries/routing.ts';
import { clusterTraffics } from '../../support/arbitraries/traffic.ts';

/** What a data plane has of a resource after encoding, the wire's bytes and decoding. */
function carried<K extends ResourceKind>(kind: K, name: string, value: IrOf[K]): DataPlaneState {
  const store = new StateStore();
  const context = { client: { kind: 'agent', network: 'n1' } } as unknown as Parameters<typeof nativeDialect.translate>[2];
  for (const { typeUrl, version, value: bytes } of nativeDialect.translate('b/a', [seal(kind, name, value)], context)) {
    const update = { typeUrl, changed: [{ name, version, any: { typeUrl, value: Buffer.from(bytes) } }], removed: [] };
    assert.deepEqual(store.apply(update), []);
  }
  return store.current;
}

const place = { cluster: 'east', network: 'n1', runtime: 'vm', viaGateway: false, stale: false, draining: false };
const endpoint = fc
  .record({ at: fc.nat(200), tier: fc.nat(3), weight: fc.nat(9), locality: fc.constantFrom('', 'r/z'), unhealthy: fc.boolean() })
  .map(({ at, tier, weight, locality, unhealthy }) => ({ at, tier, weight, locality, unhealthy }));

/** Sorted, with priorities without a gap, as the builder makes them. */
const assignments: fc.Arbitrary<AssignmentIr> = fc
  .tuple(
    fc.uniqueArray(endpoint, { maxLength: 8, selector: (e) => e.at }),
    fc.array(allOf({ priority: fc.nat(3), locality: fc.constantFrom('r/z', 'r/y'), weight: fc.nat(100) }), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  )
  .map(([all, localities, shared]) => {
    const tiers = [...new Set(all.map((e) => e.tier))].sort();
    const endpoints = all
      .map(
        ({ at, tier, weight, locality, unhealthy }): EndpointIr => ({
          ...place,
          address: `10.0.0.${at}`,
          port: 80,
          weight,
          priority: tiers.indexOf(tier),
          locality,
          instance: `i-${at}`,
          ...(unhealthy ? { unhealthy } : {}),
        }),
      )
      .sort((a, b) => a.priority - b.priority || (a.address < b.address ? -1 : 1));
    return { endpoints, ...(shared ? { localities } : {}) };
  });

describe('the native dialect carries what the intermediate representation says', () => {
  test('rules', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        assert.deepEqual(carried('routing', '80|a.b', routing).routings.get('80|a.b'), routing);
      }),
      { numRuns: 300 },
    );
  });

  test('how clusters are used', () => {
    const cluster = { host: 'a.b', namespace: 'b', service: 'a', port: 80, protocol: 'http' as const, connectTimeoutMs: 1_000 };
    fc.assert(
      fc.property(fc.option(clusterTraffics, { nil: undefined }), (traffic) => {
        const ir = traffic === undefined ? cluster : { ...cluster, traffic };
        assert.deepEqual(carried('cluster', 'c', ir).clusters.get('c'), { name: 'c', ...ir });
      }),
      { numRuns: 300 },
    );
  });

  test('endpoints with their health, and the shares of localities; older readers see healthy ones alone, without a gap', () => {
    fc.assert(
      fc.property(assignments, (ir) => {
        const [made] = nativeDialect.translate('b/a', [seal('endpoints', 'c', ir)], {} as never);
        const old = native.LoadAssignment.decode(made?.value ?? new Uint8Array());
        assert.equal(old.endpoints.length, ir.endpoints.filter((e) => e.unhealthy !== true).length);
        const priorities = [...new Set(old.endpoints.map((e) => e.priority))].sort();
        assert.deepEqual(priorities, [...priorities.keys()]);
        assert.deepEqual(carried('endpoints', 'c', ir).assignments.get('c'), { clusterName: 'c', ...ir });
      }),
      { numRuns: 500 },
    );
  });

  test('listeners of ingress gateways, and the routing of others', () => {
    fc.assert(
      fc.property(ingressListeners, (listener) => {
        const { listeners } = carried('listener', 'ingress|80', { type: 'ingress', ...listener });
        assert.deepEqual(listeners.get('ingress|80'), { kind: 'ingress', name: 'ingress|80', ...listener });
      }),
    );
    const ports = [
      { port: 80, name: 'http', protocol: 'http' as const, cluster: 'c', routing: '80|a.b' },
      { port: 81, name: 'tcp', protocol: 'tcp' as const, cluster: 'd' },
    ];
    const service = carried('listener', 'a.b', { type: 'service', namespace: 'b', service: 'a', hosts: ['a.b'], ports }).listeners.get(
      'a.b',
    );
    assert.deepEqual(service?.kind === 'service' ? service.ports : undefined, [
      { port: 80, name: 'http', protocol: 'http', clusterName: 'c', routingName: '80|a.b' },
      { port: 81, name: 'tcp', protocol: 'tcp', clusterName: 'd' },
    ]);
    const originate = { port: 16_000, protocol: 'http' as const, allowedCidrs: ['10.0.0.0/8'], namespace: 'b', service: 'a' };
    for (const routing of [{}, { routing: '80|a.b' }]) {
      const { listeners } = carried('listener', 'originate|16000', { type: 'originate', cluster: 'c', ...originate, ...routing });
      const expected = 'routing' in routing ? { routingName: routing.routing } : {};
      assert.deepEqual(listeners.get('originate|16000'), {
        kind: 'originate',
        name: 'originate|16000',
        clusterName: 'c',
        ...originate,
        ...expected,
      });
    }
  });

  test('a cluster that must not be spoken to in the clear has no port for a reader that does not know its TLS', () => {
    const cluster = { host: 'a.b', namespace: 'b', service: 'a', port: 443, protocol: 'http' as const, connectTimeoutMs: 0 };
    const traffic = { tls: { mode: 'simple' as const, sni: 'a.b', subjectAltNames: [] } };
    const [made] = nativeDialect.translate('b/a', [seal('cluster', 'c', { ...cluster, traffic })], {} as never);
    const message = native.Cluster.decode(made?.value ?? new Uint8Array());
    assert.deepEqual([message.port, message.guardedPort], [0, 443]);
  });

  test('what the mTLS end has to know is not carried', () => {
    assert.deepEqual(nativeDialect.translate('b/a', [seal('inbound', 'b/a', { subsets: ['v1'] })], {} as never), []);
    assert.ok(nativeDialect.typeUrls.includes(nativeTypeUrls.routing));
  });
});
