import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseObject } from '../../../control/config/index.ts';
import { preflight } from '../../../control/migrate/preflight/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import { formatViolation } from '../../../core/validate.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { endpoint } from '../../support/mesh-records.ts';
import { changeOrders, factsOf, goodScene } from '../../support/preflight-scene.ts';

const request = {
  namespace: 'shop',
  service: 'orders',
  from: { cluster: '', registry: 'consul/dc1' },
  to: { cluster: '', registry: 'kubernetes/prod' },
};

/** Traffic from one request in a quarter of an hour to a hundred thousand a second, good or bad, with or without requests. */
const seen = fc.record({
  seconds: fc.constantFrom(60, 600, 3_600),
  requests: fc.integer({ min: 0, max: 400_000_000 }),
  connections: fc.integer({ min: 0, max: 10_000_000 }),
  failing: fc.double({ min: 0, max: 1, noNaN: true }),
  p50: fc.double({ min: 0.0625, max: 2 ** 21, noNaN: true }),
  tail: fc.double({ min: 1, max: 100, noNaN: true }),
});

const scenes = fc.record({
  seen: fc.option(seen, { nil: undefined }),
  protocol: fc.constantFrom('http' as const, 'grpc' as const, 'tcp' as const),
  from: fc.integer({ min: 1, max: 12 }),
  more: fc.integer({ min: 0, max: 12 }),
  deployed: fc.boolean(),
});

type Drawn = typeof scenes extends fc.Arbitrary<infer T> ? T : never;

function sceneOf({ seen: traffic, protocol, from, more, deployed }: Drawn) {
  const scene = goodScene();
  const ports = [{ name: 'http', port: 80, protocol }];
  const places = (network: string, count: number, base: string) =>
    Array.from({ length: count }, (_, i) => endpoint(`${network}-${i}`, { network, address: `${base}.${i + 1}` }));
  changeOrders(scene, 'consul/dc1', () => ({ ports, endpoints: places('vms', from, '10.0.1') }));
  changeOrders(scene, 'kubernetes/prod', () => ({ ports, endpoints: places('pods', deployed ? from + more : 0, '10.1.1') }));
  if (traffic === undefined) return { ...scene, seen: undefined };
  const requests = protocol === 'tcp' ? 0 : traffic.requests;
  const all = requests + traffic.connections;
  const asked = requests === 0 ? null : traffic.p50;
  return {
    ...scene,
    seen: {
      seconds: traffic.seconds,
      requests,
      connections: traffic.connections,
      errors: Math.floor(traffic.failing * all),
      p50: asked,
      p90: asked,
      p99: asked === null ? null : asked * traffic.tail,
      inFlight: asked === null ? null : (requests / traffic.seconds) * (asked / 1_000),
    },
  };
}

test('what is proposed is a Migration, and passes when it is given back as it was written', () => {
  fc.assert(
    fc.property(scenes, (drawn) => {
      const facts = factsOf(sceneOf(drawn));
      const proposed = preflight(request, facts);
      const { documents, violations } = parseDocuments('plan.yaml', stringify(proposed.document));
      const [document] = documents;
      assert.ok(document !== undefined && violations.length === 0);
      const { located, violations: refused } = parseObject(document, '/');
      assert.deepEqual(refused.map(formatViolation), []);
      const spec = located?.object.spec as MigrationSpec;
      assert.deepEqual(spec, proposed.spec);
      const again = preflight({ ...request, spec }, facts);
      assert.deepEqual(again.checks, proposed.checks);
      assert.deepEqual(again.document.spec, proposed.document.spec);
      assert.deepEqual(again.violations, []);
    }),
    { numRuns: 300, includeErrorInReport: true },
  );
});
