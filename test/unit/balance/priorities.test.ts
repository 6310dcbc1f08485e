import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { priorityLoads } from '../../../gateway/balance/priority-load.ts';
import { ejectionKey } from '../../../gateway/engine/index.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';
import { endpoint, makeBalancer, none, shares, table } from './scene.ts';

const loadsOf = (percents: readonly number[], panicPercent = 0) =>
  priorityLoads(
    percents.map((available) => ({ total: 100, available })),
    panicPercent,
  );

describe('the load of priorities', () => {
  // Envoy's documentation, "Priority levels".
  const spill: readonly (readonly [available: readonly number[], loads: readonly number[]])[] = [
    [
      [100, 100],
      [100, 0],
    ],
    [
      [72, 72],
      [100, 0],
    ],
    [
      [71, 71],
      [99, 1],
    ],
    [
      [50, 50],
      [70, 30],
    ],
    [
      [25, 100],
      [35, 65],
    ],
    [
      [25, 25],
      [50, 50],
    ],
    [
      [0, 100],
      [0, 100],
    ],
    [
      [0, 25],
      [0, 100],
    ],
    [
      [50, 50, 100],
      [70, 30, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
    [
      [25, 0, 100],
      [35, 0, 65],
    ],
    [
      [20, 20, 10],
      [40, 40, 20],
    ],
    [
      [0, 0, 5],
      [0, 0, 100],
    ],
  ];
  for (const [available, loads] of spill) {
    test(`${available.join('/')} % available: ${loads.join('/')}`, () => {
      assert.deepEqual(
        loadsOf(available).map(({ load }) => load),
        loads,
      );
    });
  }

  // "Panic threshold", at 50 %.
  const panics: readonly (readonly [available: readonly number[], panic: readonly boolean[], loads: readonly number[]])[] = [
    [
      [72, 72],
      [false, false],
      [100, 0],
    ],
    [
      [71, 71],
      [false, false],
      [99, 1],
    ],
    [
      [50, 60],
      [false, false],
      [70, 30],
    ],
    [
      [25, 100],
      [false, false],
      [35, 65],
    ],
    [
      [25, 25],
      [true, true],
      [50, 50],
    ],
    [
      [5, 65],
      [true, false],
      [8, 92],
    ],
    [
      [0, 0],
      [true, true],
      [50, 50],
    ],
  ];
  for (const [available, panic, loads] of panics) {
    test(`panic at 50 %: ${available.join('/')} % available`, () => {
      assert.deepEqual(
        loadsOf(available, 50),
        panic.map((each, i) => ({ panic: each, load: loads[i] })),
      );
    });
  }

  test('without a threshold nobody panics, and nothing has load when nothing is available', () => {
    assert.deepEqual(loadsOf([0, 0]), [
      { load: 0, panic: false },
      { load: 0, panic: false },
    ]);
  });
});

describe('picks by health', () => {
  const near = [1, 2, 3, 4].map((port) => endpoint(port));
  const far = [11, 12].map((port) => endpoint(port, { priority: 1 }));
  const ejecting = (...endpoints: EndpointState[]) => new Set(endpoints.map((each) => ejectionKey('c', each)));

  test('half of the first priority is gone: 30 % spill over, and the rest is shared evenly', () => {
    const { balancer } = makeBalancer();
    const got = shares(balancer, table([...near, ...far]), 10_000, ejecting(...near.slice(0, 2)));
    const spilled = (got[11] ?? 0) + (got[12] ?? 0);
    assert.ok(Math.abs(spilled - 3_000) < 150, `${spilled} of 10,000`);
    assert.ok(Math.abs((got[3] ?? 0) - (got[4] ?? 0)) <= 1);
    assert.deepEqual([got[1], got[2]], [undefined, undefined]);
  });

  test('unhealthy by its registry is as good as ejected; draining is as good as absent', () => {
    const { balancer } = makeBalancer();
    const sick = near.map((each, i) => (i < 2 ? { ...each, unhealthy: true } : each));
    const got = shares(balancer, table([...sick, ...far]), 10_000);
    assert.ok(Math.abs((got[11] ?? 0) + (got[12] ?? 0) - 3_000) < 150);
    const leaving = near.map((each, i) => (i < 2 ? { ...each, draining: true } : each));
    assert.deepEqual(shares(makeBalancer().balancer, table([...leaving, ...far]), 100), { 3: 50, 4: 50 });
  });

  test('panic uses everybody; without it those under suspicion come last, and the unhealthy after them', () => {
    const [a, b] = [endpoint(1), endpoint(2, { unhealthy: true })];
    const outlier = {
      consecutive5xx: 0,
      consecutiveGatewayErrors: 0,
      consecutiveLocalOriginFailures: 0,
      intervalMs: 1,
      baseEjectionMs: 1,
      maxEjectionMs: 1,
      maxEjectionPercent: 100,
    };
    const panicking = table([a, b], { traffic: { outlier: { ...outlier, minHealthPercent: 50 } } });
    assert.deepEqual(shares(makeBalancer().balancer, panicking, 10, ejecting(a)), { 1: 5, 2: 5 });
    const calm = table([a, b]);
    const { balancer } = makeBalancer();
    assert.deepEqual(shares(balancer, calm, 10, ejecting(a)), { 1: 10 });
    assert.equal(balancer.pick(calm, ejecting(a), new Set([a])), b);
    assert.equal(balancer.pick(calm, ejecting(a), new Set([a]), { soundOnly: true }), undefined);
  });
});

describe('localities', () => {
  const east = [1, 2, 3, 4].map((port) => endpoint(port, { locality: 'east' }));
  const west = [11].map((port) => endpoint(port, { locality: 'west' }));
  const localities = [
    { priority: 0, locality: 'east', weight: 50 },
    { priority: 0, locality: 'west', weight: 50 },
  ];
  const both = table([...east, ...west], { localities });

  test('shares are those of localities, not of how many endpoints they have', () => {
    assert.deepEqual(shares(makeBalancer().balancer, both, 800), { 1: 100, 2: 100, 3: 100, 4: 100, 11: 400 });
  });

  test('a locality keeps its share until it has lost more than 28 %, then gives in proportion', () => {
    const lost = new Set(east.slice(0, 2).map((each) => ejectionKey('c', each)));
    // 50 x 1.4 x 2/4 = 35 against 50.
    const got = shares(makeBalancer().balancer, both, 8_500, lost);
    assert.ok(Math.abs((got[11] ?? 0) - 5_000) <= 2, `${got[11]} of 8,500`);
  });

  test('a locality that is gone, in one direction and back', () => {
    const { balancer } = makeBalancer();
    const lost = new Set(west.map((each) => ejectionKey('c', each)));
    assert.equal(shares(balancer, both, 100, lost)[11], undefined);
    assert.equal(shares(balancer, both, 100)[11], 50);
  });

  test('shares that name no locality of the endpoints do not make an outage', () => {
    const elsewhere = table(east, { localities: [{ priority: 0, locality: 'mars', weight: 1 }] });
    assert.deepEqual(shares(makeBalancer().balancer, elsewhere, 4), { 1: 1, 2: 1, 3: 1, 4: 1 });
    assert.notEqual(makeBalancer().balancer.pick(elsewhere, none, none), undefined);
  });
});
