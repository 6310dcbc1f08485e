import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRef, HttpRule, LoadBalancer } from '../../../core/traffic/index.ts';
import { hash32 } from '../../../gateway/balance/hash.ts';
import { buildTable } from '../../../gateway/balance/hash-table.ts';
import { hashOf } from '../../../gateway/forward/hash-key.ts';
import type { RequestHead } from '../../../gateway/forward/message.ts';
import { type RouteChoice, routeRequest } from '../../../gateway/forward/route-request.ts';
import { Router } from '../../../gateway/routing/index.ts';

type HashOn = Extract<LoadBalancer, { type: 'hash' }>['on'];
const old = 'outbound|80|isthmus-from|orders.shop.mesh.internal';
const fresh = 'outbound|80|isthmus-to|orders.shop.mesh.internal';
const source = { address: '10.9.8.7', port: 40_000 };
const router = new Router({ namespace: 'web', labels: {} });

function routing(perMille: number, byHash = true) {
  const destinations = [
    { destination: { cluster: fresh }, weight: perMille },
    { destination: { cluster: old }, weight: 1_000 - perMille },
  ];
  const rule: HttpRule<ClusterRef> = {
    name: 'r',
    matches: [],
    action: { type: 'route', destinations, mirrors: [], ...(byHash ? { byHash } : {}) },
  };
  return router.of({ virtualHosts: [{ name: 'v', domains: ['*'], rules: [rule] }], l4: [] });
}

function choice(on: HashOn | undefined, random = () => 0.999): RouteChoice {
  const loadBalancer: LoadBalancer = { type: 'hash', on: on ?? { type: 'source-address' }, table: { type: 'ring', minimumRingSize: 1024 } };
  const traffic = on === undefined ? {} : { loadBalancer };
  return { random, session: (_, request) => hashOf({ traffic }, request, source) };
}

function request(headers: readonly string[] = [], path = '/'): RequestHead {
  return { method: 'GET', path, authority: 'orders', scheme: 'http', headers, streamed: false };
}

function side(perMille: number, asked: RequestHead, by: RouteChoice, byHash = true): string {
  const { then } = routeRequest(routing(perMille, byHash), asked, by);
  assert.ok('clusterName' in then);
  return then.clusterName;
}

const byUser = choice({ type: 'header', name: 'x-user' });
const users = Array.from({ length: 4_000 }, (_, i) => `user-${i}`);
const taken = (perMille: number) => new Set(users.filter((user) => side(perMille, request(['x-user', user]), byUser) === fresh));

test('as the weight rises sessions only come to the new side, and its share is its weight', () => {
  let before = new Set<string>();
  for (const perMille of [1, 10, 50, 250, 500, 990, 999]) {
    const now = taken(perMille);
    for (const user of before) assert.ok(now.has(user), `${user} went back at ${perMille}`);
    const mean = (users.length * perMille) / 1_000;
    const bound = 4 * Math.sqrt((mean * (1_000 - perMille)) / 1_000) + 1;
    assert.ok(Math.abs(now.size - mean) <= bound, `${now.size} of ${users.length} at ${perMille}`);
    before = now;
  }
});

test('the sessions of one side are spread over all of its hash table, not over the part that chose the side', () => {
  const shares = Array.from({ length: 8 }, (_, i) => ({ key: `10.0.0.${i}:80`, weight: 1 }));
  for (const spec of [
    { type: 'ring', minimumRingSize: 1024 },
    { type: 'maglev', tableSize: 65_537 },
  ] as const) {
    const table = buildTable(spec, shares);
    const counts = new Map<number, number>();
    for (const user of taken(250)) {
      const index = table.lookup(hash32(user));
      counts.set(index, (counts.get(index) ?? 0) + 1);
    }
    assert.equal(counts.size, shares.length, spec.type);
    assert.ok(Math.min(...counts.values()) > 1_000 / 8 / 4, spec.type);
  }
});

test('by query, by cookie and by the caller’s address; who has none of it, and who is not asked to, goes by chance', () => {
  const always = (by: RouteChoice, asked: RequestHead, more = true) =>
    new Set([0, 0.3, 0.999].map((r) => side(500, asked, { ...by, random: () => r }, more))).size === 1;
  assert.ok(always(choice({ type: 'query', name: 'u' }), request([], '/?u=7')));
  assert.ok(always(choice({ type: 'cookie', name: 's', path: '' }), request(['cookie', 's=abc'])));
  assert.ok(always(choice({ type: 'source-address' }), request()));
  assert.ok(!always(choice({ type: 'query', name: 'u' }), request()));
  assert.ok(!always(choice(undefined), request()));
  assert.ok(!always(byUser, request(['x-user', 'a']), false), 'rules of people are by chance, as in Istio');
});

test('a session that begins is led where its next requests will go, and has one cookie', () => {
  const on = { type: 'cookie', name: 's', path: '/', ttlMs: 60_000 } as const;
  const by = choice(on);
  for (let i = 0; i < 50; i++) {
    const { then } = routeRequest(routing(500), request(), by);
    assert.ok('clusterName' in then && then.session?.hash !== undefined && then.session.setCookie !== undefined);
    const traffic = { loadBalancer: { type: 'hash', on, table: { type: 'ring', minimumRingSize: 8 } } } as const;
    assert.equal(hashOf({ traffic }, request(), source, then.session), then.session, 'its balancing goes by the same');
    const next = request(['cookie', then.session.setCookie.split(';')[0] ?? '']);
    assert.equal(side(500, next, by), then.clusterName);
  }
});
