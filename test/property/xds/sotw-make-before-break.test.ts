import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { World } from '../../support/delta-link.ts';
import { SotwLink } from '../../support/sotw-link.ts';

const { cluster, loadAssignment, listener, route } = envoyTypeUrls;
const clusters = fc.constantFrom('c1', 'c2', 'c3', 'c4');

/** Listeners and routes name the clusters that they need, and clusters have endpoints; each world is consistent in itself. */
const world: fc.Arbitrary<World> = fc
  .record({
    listeners: fc.dictionary(fc.constantFrom('l1', 'l2', 'l3'), clusters),
    routes: fc.record({ r1: clusters, r2: clusters }),
    revision: fc.constantFrom('x', 'y'),
    endpoints: fc.constantFrom('1', '2'),
  })
  .map(({ listeners, routes, revision, endpoints }) => {
    const used = [...Object.values(listeners), ...Object.values(routes)];
    return {
      [cluster]: Object.fromEntries(used.map((c) => [c, `${c}-${revision}`])),
      [loadAssignment]: Object.fromEntries(used.map((c) => [c, `${c}-${endpoints}`])),
      [listener]: { ...listeners },
      [route]: { ...routes },
    };
  });

type Step = { become: World } | { rounds: number } | 'toServer' | 'toClient' | 'restart';
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: world.map((become) => ({ become })) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }).map((rounds) => ({ rounds })) },
  { weight: 6, arbitrary: fc.constantFrom('toServer' as const, 'toClient' as const) },
  { weight: 1, arbitrary: fc.constant('restart' as const) },
);

/** Not only there: it has had its endpoints, so that traffic finds it. */
function assertWhole(link: SotwLink): void {
  for (const typeUrl of [listener, route]) {
    for (const [name, needed] of Object.entries(link.held(typeUrl))) {
      assert.ok(link.client.active.has(needed), `${typeUrl} ${name} needs ${needed}, which the client does not hold`);
    }
  }
}

function open(link: SotwLink): void {
  for (const name of ['r1', 'r2']) link.toServer.push(...link.client.want(route, name));
}

test('whatever changes, a state-of-the-world client never holds a reference to what is not there and warm', () => {
  fc.assert(
    fc.property(world, fc.array(step, { maxLength: 60, size: 'max' }), fc.constantFrom(1, 1_000_000), (start, steps, responseBytes) => {
      const link = new SotwLink(start, 'envoy', responseBytes);
      open(link);
      for (const s of steps) {
        if (s === 'toServer') link.deliverToServer();
        else if (s === 'toClient') link.deliverToClient();
        else if (s === 'restart') {
          link.restart();
          open(link);
        } else if ('become' in s) link.become(s.become);
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
      for (const typeUrl of [cluster, loadAssignment, listener]) assert.deepEqual(link.held(typeUrl), link.world[typeUrl]);
      assert.equal(link.client.warming.size, 0);
      assert.equal(link.timeOuts, 0, 'endpoints never wait for an answer about clusters, which waits for them');
    }),
    { numRuns: 2_000, includeErrorInReport: true },
  );
});
