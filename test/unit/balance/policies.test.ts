import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LoadBalancer } from '../../../core/traffic/index.ts';
import { warmupFactor } from '../../../gateway/balance/warmup.ts';
import { Attempts, ejectionKey } from '../../../gateway/engine/index.ts';
import { balanced, endpoint, makeBalancer, none, shares, table } from './scene.ts';

const ring: LoadBalancer = { type: 'hash', on: { type: 'source-address' }, table: { type: 'ring', minimumRingSize: 1_024 } };
const byUser = (i: number) => ({ hash: `user-${i}` });

describe('least request', () => {
  test('among equals the less busy of two', () => {
    const cluster = balanced(
      [1, 2, 3, 4].map((port) => endpoint(port)),
      { type: 'least-request' },
    );
    const { balancer } = makeBalancer();
    const busy = cluster.endpoints[0];
    assert.ok(busy !== undefined);
    balancer.pick(cluster, none, none);
    const releases = Array.from({ length: 100 }, () => balancer.hold(cluster, busy));
    const got = shares(balancer, cluster, 4_000);
    // Only when both choices are the busy one: 1 in 16.
    assert.ok(Math.abs((got[1] ?? 0) - 250) < 60, `${got[1]} of 4,000`);
    for (const release of releases) {
      release();
      release();
    }
    assert.ok((shares(balancer, cluster, 4_000)[1] ?? 0) > 850, 'released once each, it is as good as the others');
  });

  test('weights count, divided by what runs', () => {
    const cluster = balanced([endpoint(1, { weight: 30 }), endpoint(2, { weight: 10 })], { type: 'least-request' });
    const { balancer } = makeBalancer();
    assert.deepEqual(shares(balancer, cluster, 400), { 1: 300, 2: 100 });
    const [heavy] = cluster.endpoints;
    assert.ok(heavy !== undefined);
    for (let i = 0; i < 5; i++) balancer.hold(cluster, heavy);
    const got = shares(balancer, cluster, 300);
    assert.ok(Math.abs((got[1] ?? 0) - 100) <= 2, '30 / 6 against 10');
  });

  test('an attempt holds its endpoint until the next one, and the last until the end', () => {
    const cluster = balanced([endpoint(1), endpoint(2)], { type: 'least-request' });
    const { balancer } = makeBalancer();
    const attempts = new Attempts(balancer, cluster, 3);
    const first = attempts.next(none);
    const only = shares(balancer, cluster, 1_000);
    assert.ok((only[first?.port ?? 0] ?? 0) < 300);
    const second = attempts.next(none);
    assert.notEqual(first, second);
    assert.ok((shares(balancer, cluster, 1_000)[second?.port ?? 0] ?? 0) < 300);
    attempts.end();
    assert.ok((shares(balancer, cluster, 1_000)[second?.port ?? 0] ?? 0) > 400);
  });
});

test('random follows the weights', () => {
  const cluster = balanced([endpoint(1, { weight: 1 }), endpoint(2, { weight: 99 })], { type: 'random' });
  const got = shares(makeBalancer().balancer, cluster, 100_000);
  // Four standard deviations.
  assert.ok(Math.abs((got[1] ?? 0) - 1_000) < 126, `${got[1]} of 100,000`);
});

describe('hash', () => {
  const endpoints = [1, 2, 3, 4, 5].map((port) => endpoint(port));

  test('a key stays with its endpoint, in every proxy, and a retry of it goes to one other', () => {
    const cluster = balanced(endpoints, ring);
    const [one, other] = [makeBalancer(1).balancer, makeBalancer(2).balancer];
    for (let i = 0; i < 500; i++) {
      const first = one.pick(cluster, none, none, byUser(i));
      assert.ok(first !== undefined);
      assert.equal(other.pick(cluster, none, none, byUser(i)), first);
      const next = one.pick(cluster, none, new Set([first]), byUser(i));
      assert.notEqual(next, first);
      assert.equal(other.pick(cluster, none, new Set([first]), byUser(i)), next);
    }
    assert.equal(one.pick(cluster, none, new Set(endpoints), byUser(1)), undefined);
  });

  test('an ejection moves the keys of the ejected one, and its return brings them back', () => {
    const cluster = balanced(endpoints, ring);
    const { balancer } = makeBalancer();
    const [gone] = endpoints;
    assert.ok(gone !== undefined);
    const place = (ejected: ReadonlySet<string>) =>
      Array.from({ length: 2_000 }, (_, i) => balancer.pick(cluster, ejected, none, byUser(i))?.port);
    const before = place(none);
    const without = place(new Set([ejectionKey('c', gone)]));
    const moved = before.filter((port, i) => port !== 1 && without[i] !== port).length;
    assert.ok(!without.includes(1));
    assert.ok(moved < 100, `${moved} of 2,000 moved for nothing`);
    assert.deepEqual(place(none), before);
  });

  test('a request without a key goes anywhere', () => {
    assert.equal(Object.keys(shares(makeBalancer().balancer, balanced(endpoints, ring), 200)).length, 5);
  });

  test('spill is by key: who moved to the next priority stays there', () => {
    const far = [11, 12].map((port) => endpoint(port, { priority: 1 }));
    const cluster = balanced([...endpoints.slice(0, 4), ...far], ring);
    const ejected = new Set(endpoints.slice(0, 2).map((each) => ejectionKey('c', each)));
    const { balancer } = makeBalancer();
    const got = shares(balancer, cluster, 5_000, ejected, byUser);
    const spilled = (got[11] ?? 0) + (got[12] ?? 0);
    assert.ok(Math.abs(spilled - 1_500) < 150, `${spilled} of 5,000`);
    const again = shares(makeBalancer(7).balancer, cluster, 5_000, ejected, byUser);
    assert.deepEqual(again, got);
  });

  test('localities weigh in the table', () => {
    const east = [1, 2, 3, 4].map((port) => endpoint(port, { locality: 'east' }));
    const west = [endpoint(11, { locality: 'west' })];
    const localities = ['east', 'west'].map((locality) => ({ priority: 0, locality, weight: 50 }));
    const got = shares(makeBalancer().balancer, { ...balanced([...east, ...west], ring), localities }, 5_000, none, byUser);
    assert.ok(Math.abs((got[11] ?? 0) - 2_500) < 300, `${got[11]} of 5,000`);
  });
});

describe('warm-up', () => {
  const warmup = { durationMs: 60_000, minPercent: 10, aggression: 1 };

  test("is Envoy's curve", () => {
    assert.deepEqual(
      [0, 3_000, 6_000, 30_000, 60_000, 90_000].map((age) => warmupFactor(warmup, age)),
      [0.1, 0.1, 0.1, 0.5, 1, 1],
    );
    assert.equal(warmupFactor({ ...warmup, aggression: 2 }, 15_000), 0.5);
  });

  test('who comes after the first assignment takes its share little by little; who was there first has all of it', () => {
    const { balancer, clock } = makeBalancer();
    const before = balanced([endpoint(1), endpoint(2)], { type: 'round-robin', warmup });
    balancer.keepOnly(new Map([['c', before]]));
    assert.deepEqual(shares(balancer, before, 10), { 1: 5, 2: 5 });
    const after = balanced([...before.endpoints, endpoint(3)], { type: 'round-robin', warmup });
    balancer.keepOnly(new Map([['c', after]]));
    const shareOfNew = () => shares(balancer, after, 2_000)[3] ?? 0;
    assert.ok(Math.abs(shareOfNew() - 2_000 * (0.1 / 2.1)) <= 2);
    clock.advance(30_000);
    assert.ok(Math.abs(shareOfNew() - 2_000 * (0.5 / 2.5)) <= 2);
    clock.advance(30_000);
    assert.ok(Math.abs(shareOfNew() - 2_000 / 3) <= 2);
  });
});

test('a retry prefers another locality, but not one under suspicion', () => {
  const east = [1, 2].map((port) => endpoint(port, { locality: 'east' }));
  const west = endpoint(11, { locality: 'west', priority: 1 });
  const cluster = table([...east, west]);
  const { balancer } = makeBalancer();
  const elsewhere = new Attempts(balancer, cluster, 3, { otherLocalities: true });
  const order = [1, 2, 3].map(() => elsewhere.next(none)?.locality);
  assert.deepEqual(order, ['east', 'west', 'east']);
  const suspected = new Set([ejectionKey('c', west)]);
  const near = new Attempts(balancer, cluster, 3, { otherLocalities: true });
  assert.deepEqual(
    [1, 2, 3].map(() => near.next(suspected)?.locality),
    ['east', 'east', 'west'],
  );
});
