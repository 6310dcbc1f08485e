import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Attempts, Balancer, type ClusterTable, ejectionKey } from '../../../gateway/engine/index.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const endpoint = (port: number, more: Partial<EndpointState> = {}): EndpointState => ({
  address: '10.0.0.1',
  port,
  weight: 1,
  priority: 0,
  cluster: 'east',
  network: 'n',
  locality: '',
  runtime: 'vm',
  instance: '',
  viaGateway: false,
  stale: false,
  draining: false,
  ...more,
});
const table = (...endpoints: EndpointState[]): ClusterTable => ({
  name: 'c',
  host: 'h',
  namespace: 'n',
  service: 's',
  connectTimeoutMs: 1,
  endpoints,
});
const clock = new ManualClock();
const none: ReadonlySet<never> = new Set<never>();

describe('balancer', () => {
  test('over a whole rotation each endpoint gets exactly its weight, wherever the rotation starts', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 0.99, noNaN: true }), (each, start) => {
        const cluster = table(...each.map((weight, i) => endpoint(i + 1, { weight })));
        const balancer = new Balancer(() => start, clock);
        const total = each.reduce((a, b) => a + b, 0);
        const counts = new Map<number, number>();
        const rounds = 3;
        for (let i = 0; i < total * rounds; i++) {
          const port = balancer.pick(cluster, none, none)?.port ?? 0;
          counts.set(port, (counts.get(port) ?? 0) + 1);
        }
        for (const [i, weight] of each.entries()) {
          const off = Math.abs((counts.get(i + 1) ?? 0) - weight * rounds);
          assert.ok(off <= 1, `port ${i + 1}: ${counts.get(i + 1)} of ${weight * rounds}`);
        }
      }),
    );
  });

  test('zones times gateways: a small weight beside big ones is not rounded away', () => {
    const cluster = table(endpoint(1, { weight: 1 }), endpoint(2, { weight: 299 }), endpoint(3, { weight: 700 }));
    const balancer = new Balancer(() => 0, clock);
    const ports = Array.from({ length: 1_000 }, () => balancer.pick(cluster, none, none)?.port);
    assert.deepEqual(
      [1, 2, 3].map((p) => ports.filter((each) => each === p).length),
      [1, 299, 700],
    );
  });

  test('never what takes no connections; a lower priority only when the higher has nobody sound', () => {
    const [a, b, c] = [endpoint(1), endpoint(2, { priority: 1 }), endpoint(3, { draining: true })];
    const cluster = table(a, b, c, endpoint(4, { weight: 0 }));
    const balancer = new Balancer(() => 0, clock);
    assert.equal(balancer.pick(cluster, none, none), a);
    assert.equal(balancer.pick(cluster, new Set([ejectionKey('c', a)]), none), b);
    assert.equal(balancer.pick(cluster, none, new Set([a])), b);
    assert.equal(balancer.pick(cluster, new Set([ejectionKey('c', a), ejectionKey('c', b)]), none), a, 'all suspect: try anyway');
    assert.equal(balancer.pick(cluster, none, new Set([a, b])), undefined);
    assert.equal(balancer.pick(table(), none, none), undefined);
  });
});

describe('attempts', () => {
  test('each endpoint once; a gateway once more when it was what is behind that failed', () => {
    const gateway = endpoint(1, { viaGateway: true });
    const cluster = table(gateway, endpoint(2));
    const attempts = new Attempts(new Balancer(() => 0, clock), cluster, 3);
    const first = attempts.next(none);
    const second = attempts.next(none);
    assert.notEqual(first, second);
    for (const each of [first, second]) if (each !== undefined) attempts.failed(each, 'early-close');
    assert.equal(attempts.next(none), gateway);
    assert.equal(attempts.next(none), undefined, 'three are the limit');
  });

  test('a gateway that refused is not asked again', () => {
    const gateway = endpoint(1, { viaGateway: true });
    const attempts = new Attempts(new Balancer(() => 0, clock), table(gateway), 3);
    attempts.next(none);
    attempts.failed(gateway, 'connect');
    assert.deepEqual([attempts.next(none), attempts.count], [undefined, 1]);
  });
});
