import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { HashKey } from '../../core/traffic/index.ts';
import { refusedUpdates, startApp } from '../support/envoy-mesh.ts';
import { onEnd } from '../support/on-end.ts';
import { ask, startStaticMesh } from '../support/static-envoy.ts';
import { clusterName, httpRouting, place, routeTo, rule, serviceResources } from '../support/traffic-scene.ts';
import { until } from '../support/until.ts';

const [fresh, old] = [clusterName('reviews', 'isthmus-to'), clusterName('reviews', 'isthmus-from')];

/** A sidecar that calls reviews, whose two sides are two applications, with a hash to spread requests by. */
async function startSides(t: TestContext, on: HashKey) {
  const [from, to] = [await startApp(t, 'from'), await startApp(t, 'to')];
  const { set, sidecar } = await startStaticMesh(t);
  const traffic = { loadBalancer: { type: 'hash', on, table: { type: 'ring', minimumRingSize: 1024 } } } as const;
  const subsets = {
    '': { endpoints: [place(from.port)], traffic },
    'isthmus-from': { endpoints: [place(from.port)], traffic },
    'isthmus-to': { endpoints: [place(to.port)], traffic },
  };
  let step = 0;
  const weight = (perMille: number) => {
    step += 1;
    const action = routeTo({ [fresh]: perMille, [old]: 1_000 - perMille }, { byHash: true });
    const headed = { ...rule('shift', [], action), responseHeaders: { set: [['x-step', String(step)] as const], add: [], remove: [] } };
    set({ 'shop/reviews': serviceResources('reviews', { routing: httpRouting([headed]), subsets }) });
    return String(step);
  };
  weight(0);
  const { envoy, ports } = await sidecar({ reviews: 80 });
  onEnd(t, async () => assert.equal(await refusedUpdates(envoy), 0));
  const port = ports['reviews'] ?? 0;
  return {
    port,
    at: async (perMille: number) => {
      const wanted = weight(perMille);
      await until('the step', async () => {
        const { status, headers } = await ask(port, '/');
        return status === 200 && headers['x-step'] === wanted;
      });
    },
  };
}

test('at Envoy sessions by a header only come to the new side as its weight rises', { timeout: 120_000 }, async (t) => {
  const { port, at } = await startSides(t, { type: 'header', name: 'x-user' });
  const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);
  let before = new Set<string>();
  for (const perMille of [50, 250, 500, 900]) {
    await at(perMille);
    const now = new Set<string>();
    for (const user of users) {
      const { app } = await ask(port, '/', { headers: { 'x-user': user } });
      if (app.app === 'to') now.add(user);
    }
    for (const user of before) assert.ok(now.has(user), `${user} went back at ${perMille}`);
    const mean = (users.length * perMille) / 1_000;
    const bound = 4 * Math.sqrt((mean * (1_000 - perMille)) / 1_000);
    assert.ok(Math.abs(now.size - mean) <= bound, `${now.size} of ${users.length} at ${perMille}`);
    before = now;
  }
});

test('at Envoy a session by a cookie that it sets keeps its side from its second request on', { timeout: 120_000 }, async (t) => {
  const { port, at } = await startSides(t, { type: 'cookie', name: 'session', path: '/', ttlMs: 60_000 });
  await at(500);
  const sides = new Set<string | undefined>();
  for (let session = 0; session < 30; session++) {
    const first = await ask(port, '/');
    const cookie = String(first.headers['set-cookie']).split(';')[0] ?? '';
    assert.match(cookie, /^session=/);
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 4; i++) seen.add((await ask(port, '/', { headers: { cookie } })).app.app);
    assert.equal(seen.size, 1, cookie);
    sides.add([...seen][0]);
  }
  assert.deepEqual(sides, new Set(['from', 'to']));
});
