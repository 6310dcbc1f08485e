import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DeltaLink, type World } from '../../support/delta-link.ts';

const order = ['cluster', 'listener', 'route'] as const;

/** Listeners and routes name the clusters that they need; each world is consistent in itself. */
const world: fc.Arbitrary<World> = fc
  .record({
    listeners: fc.dictionary(fc.constantFrom('l1', 'l2', 'l3'), fc.constantFrom('c1', 'c2', 'c3', 'c4')),
    routes: fc.dictionary(fc.constantFrom('r1', 'r2'), fc.constantFrom('c1', 'c2', 'c3', 'c4')),
    revision: fc.constantFrom('x', 'y'),
  })
  .map(({ listeners, routes, revision }) => ({
    cluster: Object.fromEntries([...Object.values(listeners), ...Object.values(routes)].map((c) => [c, `${c}-${revision}`])),
    listener: { ...listeners },
    route: { ...routes },
  }));

type Step = { become: World } | { rounds: number } | 'toServer' | 'toClient' | 'reconnect';
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: world.map((become) => ({ become })) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }).map((rounds) => ({ rounds })) },
  { weight: 6, arbitrary: fc.constantFrom('toServer' as const, 'toClient' as const) },
  { weight: 1, arbitrary: fc.constant('reconnect' as const) },
);

function assertWhole(link: DeltaLink): void {
  const clusters = link.held('cluster');
  for (const typeUrl of ['listener', 'route']) {
    for (const [name, cluster] of Object.entries(link.held(typeUrl))) {
      assert.ok(clusters[cluster] !== undefined, `${typeUrl} ${name} needs ${cluster}, which the client does not hold`);
    }
  }
}

test('whatever changes and whenever streams break, a client never holds a reference to what it has not got', () => {
  fc.assert(
    fc.property(
      world,
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.constantFrom(1, 150, 1_000_000),
      (start, steps, responseBytes) => {
        const link = new DeltaLink(order, start, () => [], responseBytes);
        for (const typeUrl of order) link.client.subscribe(typeUrl, '*');
        link.connect();
        for (const s of steps) {
          if (s === 'toServer') link.deliverToServer();
          else if (s === 'toClient') link.deliverToClient();
          else if (s === 'reconnect') link.connect();
          else if ('become' in s) link.become(s.become);
          else {
            for (let i = 0; i < s.rounds; i += 1) {
              link.deliverToServer();
              assertWhole(link);
              link.deliverToClient();
              assertWhole(link);
            }
          }
          assertWhole(link);
        }
        link.settle();
        for (const typeUrl of order) assert.deepEqual(link.held(typeUrl), link.world[typeUrl]);
      },
    ),
    { numRuns: 2_000 },
  );
});
