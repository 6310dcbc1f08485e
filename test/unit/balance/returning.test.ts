import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { returnOf } from '../../../gateway/balance/warmup.ts';
import { Attempts, type ClusterTable, ejectionKey } from '../../../gateway/engine/index.ts';
import { balanced, endpoint, makeBalancer, none, shares, table } from './scene.ts';

const halves = ['east', 'south'].map((locality) => ({ priority: 0, locality, weight: 50 }));
const sites = table([endpoint(1, { locality: 'east' }), endpoint(2, { locality: 'south' })], { localities: halves });

function without(cluster: ClusterTable, port: number): ReadonlySet<string> {
  return new Set(cluster.endpoints.filter((each) => each.port === port).map((each) => ejectionKey(cluster.name, each)));
}

/** Of 1,000 picks, how many the first endpoint got in each second from its return on. */
function returned(cluster: ClusterTable, awayMs: number, seconds: number): readonly number[] {
  const { balancer, clock } = makeBalancer();
  shares(balancer, cluster, 10);
  assert.equal(shares(balancer, cluster, 1_000, without(cluster, 1))[1], undefined);
  clock.advance(awayMs);
  return Array.from({ length: seconds }, () => {
    const got = shares(balancer, cluster, 1_000)[1] ?? 0;
    clock.advance(1_000);
    return got;
  });
}

describe('an endpoint that returns', () => {
  test('alone at its site takes up its share little by little, over ten seconds', () => {
    const got = returned(sites, 30_000, 12);
    // A tenth of a half, against a whole half: 5 of 55.
    assert.ok(Math.abs((got[0] ?? 0) - 91) <= 1, `${got}`);
    for (let i = 3; i < 10; i++) assert.ok((got[i] ?? 0) > (got[i - 1] ?? 0), `${got}`);
    assert.deepEqual(got.slice(10), [500, 500]);
  });

  test('one of several at one place does, too, for as long as it was away', () => {
    const got = returned(table([endpoint(1), endpoint(2)]), 4_000, 5);
    assert.ok((got[0] ?? 0) > 0 && (got[0] ?? 0) < 220, `${got}`);
    assert.equal(got[4], 500);
  });

  test('not when it was away for a moment', () => {
    assert.deepEqual(returned(sites, 900, 2), [500, 500]);
    assert.equal(returnOf(undefined, 999), undefined);
  });

  test('shares a priority with the next while it cannot carry it', () => {
    const cluster = table([endpoint(1), endpoint(2, { priority: 1 })]);
    const got = returned(cluster, 30_000, 12);
    assert.ok((got[0] ?? 0) > 60 && (got[0] ?? 0) < 220, `${got}`);
    assert.equal(got.at(-1), 1_000);
  });

  test('takes all at once where nobody else is there, or all others return as well', () => {
    const alone = table([endpoint(1)]);
    assert.deepEqual(shares(makeBalancer().balancer, alone, 100, without(alone, 1)), { 1: 100 });
    const { balancer, clock } = makeBalancer();
    shares(balancer, sites, 100, new Set([...without(sites, 1), ...without(sites, 2)]));
    clock.advance(30_000);
    assert.deepEqual(shares(balancer, sites, 100), { 1: 50, 2: 50 });
  });

  test('by the warm-up of its cluster, where it has one; keys of a hash stay where they belong', () => {
    const warmup = { durationMs: 60_000, minPercent: 50, aggression: 1 };
    const slow = balanced([endpoint(1), endpoint(2)], { type: 'round-robin', warmup });
    assert.ok(Math.abs((returned(slow, 30_000, 1)[0] ?? 0) - 333) <= 2);
    const hash = balanced([endpoint(1), endpoint(2)], {
      type: 'hash',
      on: { type: 'source-address' },
      table: { type: 'maglev', tableSize: 1_009 },
    });
    const { balancer, clock } = makeBalancer();
    const byKey = (i: number) => ({ hash: `k${i}` });
    const before = shares(balancer, hash, 1_000, none, byKey);
    shares(balancer, hash, 1_000, without(hash, 1), byKey);
    clock.advance(30_000);
    assert.deepEqual(shares(balancer, hash, 1_000, none, byKey), before);
  });

  test('what its registry had taken away returns in the same way; what is new does not', () => {
    const { balancer, clock } = makeBalancer();
    shares(balancer, sites, 10);
    assert.deepEqual(shares(balancer, { ...sites, endpoints: sites.endpoints.slice(1) }, 100), { 2: 100 });
    clock.advance(30_000);
    assert.ok((shares(balancer, { ...sites }, 100)[1] ?? 0) < 12);
    const [east, south] = sites.endpoints;
    assert.ok(east !== undefined && south !== undefined);
    const another = { ...sites, endpoints: [{ ...east, port: 3 }, south] };
    assert.deepEqual(shares(balancer, another, 100), { 2: 50, 3: 50 });
  });

  test('what its registry calls unhealthy, draining or stale for a while, too', () => {
    for (const lost of [{ unhealthy: true }, { stale: true, priority: 1 }, { draining: true }]) {
      const { balancer, clock } = makeBalancer();
      const away = { ...sites, endpoints: sites.endpoints.map((each) => (each.port === 1 ? { ...each, ...lost } : each)) };
      assert.deepEqual(shares(balancer, away, 100), { 2: 100 }, JSON.stringify(lost));
      clock.advance(30_000);
      assert.ok((shares(balancer, { ...sites }, 100)[1] ?? 0) < 12, JSON.stringify(lost));
    }
  });
});

describe('while it returns', () => {
  /** Endpoint 1 has just returned. */
  function scene(cluster: ClusterTable) {
    const { balancer, clock } = makeBalancer();
    shares(balancer, cluster, 10, without(cluster, 1));
    clock.advance(30_000);
    shares(balancer, cluster, 1);
    return { balancer, clock };
  }
  const next = (ready: readonly number[], cluster = sites, { balancer, clock } = scene(cluster)) => {
    const asked = new Set<number>();
    const isReady = ({ port }: { port: number }) => asked.add(port) && ready.includes(port);
    const picked = Array.from({ length: 100 }, () => new Attempts(balancer, cluster, 3, { isReady }).next(none)?.port);
    return { picked: new Set(picked), asked, clock, balancer };
  };

  test('nobody waits for its connections while another is there', () => {
    const cold = next([]);
    assert.deepEqual(cold.picked, new Set([2]));
    assert.deepEqual(cold.asked, new Set([1]), 'who was there all the time is not asked');
    assert.deepEqual(next([1]).picked, new Set([1, 2]));
    const lower = table([endpoint(1), endpoint(2, { priority: 1 })]);
    assert.deepEqual(next([], lower).picked, new Set([2]), 'one of a lower priority will do');
  });

  test('with nobody else to go to its connection is waited for', () => {
    const both = table([endpoint(1), endpoint(2)]);
    const { balancer, clock } = makeBalancer();
    shares(balancer, both, 10, new Set([...without(both, 1), ...without(both, 2)]));
    clock.advance(30_000);
    shares(balancer, both, 1);
    assert.deepEqual(next([], both, { balancer, clock }).picked, new Set([1, 2]));
  });

  test('later it is picked like any other', () => {
    const { balancer, clock } = scene(sites);
    clock.advance(10_000);
    const { asked } = next([], sites, { balancer, clock });
    assert.equal(asked.size, 0);
  });
});
