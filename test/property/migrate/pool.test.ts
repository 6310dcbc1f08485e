import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SideCounts } from '../../../control/migrate/contract.ts';
import { Pool, type Sight } from '../../../control/migrate/replicas/index.ts';
import { decodeSights, encodeSights } from '../../../control/migrate/replicas/sight.ts';

const small = fc.nat(50);
const counts: fc.Arbitrary<SideCounts> = fc.record(
  {
    requests: small,
    errors: small,
    connections: small,
    connectionErrors: small,
    latency: fc.array(fc.tuple(fc.nat(5), small), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    latencySumMs: small,
  },
  { noNullPrototype: true },
);
const name = fc.constantFrom('web', 'gw', 'cart');
const sight: fc.Arbitrary<Sight> = fc.record(
  {
    from: counts,
    to: counts,
    callers: fc.array(fc.record({ source: name, cluster: fc.constant('home'), from: small, to: small }, { noNullPrototype: true }), {
      maxLength: 3,
    }),
    proxies: fc.record(
      {
        callers: small,
        heard: fc.array(name),
        silent: fc.array(name),
        connected: fc.array(name),
        behind: fc.array(name),
      },
      { noNullPrototype: true, requiredKeys: ['callers', 'heard', 'silent', 'behind'] },
    ),
  },
  { noNullPrototype: true },
);

const plus = (a: SideCounts, b: SideCounts): SideCounts => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
  connections: a.connections + b.connections,
  connectionErrors: a.connectionErrors + b.connectionErrors,
  latency: new Map([...a.latency, ...[...b.latency].map(([k, n]) => [k, (a.latency.get(k) ?? 0) + n] as const)]),
  latencySumMs: a.latencySumMs + b.latencySumMs,
});
const flat = ({ latency, ...rest }: SideCounts) => ({ ...rest, latency: [...latency].filter(([, n]) => n > 0).sort(([a], [b]) => a - b) });

test('what replicas count from the first look on is counted once, whoever goes and comes back', () => {
  const rise = fc.record({ replica: fc.constantFrom('b', 'c'), more: counts, present: fc.boolean() });
  fc.assert(
    fc.property(sight, counts, fc.array(rise, { maxLength: 12 }), (own, before, rises) => {
      const pool = new Pool();
      const totals = new Map(['b', 'c'].map((replica) => [replica, before]));
      const base = new Map(['b', 'c'].map((replica) => [replica, { ...own, to: before }]));
      pool.look(own, base);
      let expected = own.to;
      let unseen = new Map<string, SideCounts>();
      let last = own.to;
      for (const { replica, more, present } of rises) {
        totals.set(replica, plus(totals.get(replica) ?? before, more));
        unseen = new Map([...unseen, [replica, plus(unseen.get(replica) ?? zero, more)]]);
        const told = new Map([...totals].filter(([name]) => present || name !== replica).map(([name, to]) => [name, { ...own, to }]));
        const { to } = pool.look(own, told);
        for (const name of told.keys()) {
          expected = plus(expected, unseen.get(name) ?? zero);
          unseen.delete(name);
        }
        assert.deepEqual(flat(to), flat(expected));
        assert.ok(to.requests >= last.requests && to.errors >= last.errors, 'sums never fall');
        last = to;
      }
    }),
  );
});

const zero: SideCounts = { requests: 0, errors: 0, connections: 0, connectionErrors: 0, latency: new Map(), latencySumMs: 0 };

test('a caller is silent where no replica hears of it, and behind or connected where one says so', () => {
  fc.assert(
    fc.property(sight, fc.array(sight, { maxLength: 3 }), (own, others) => {
      const all = [own, ...others];
      const { proxies } = new Pool().look(own, new Map(others.map((each, i) => [`r${i}`, each])));
      for (const who of ['web', 'gw', 'cart']) {
        const said = (key: Exclude<keyof Sight['proxies'], 'callers'>) => all.some((each) => each.proxies[key]?.includes(who));
        assert.equal(proxies.heard.has(who), said('heard'));
        assert.equal(proxies.silent.includes(who), said('silent') && !said('heard'));
        assert.equal(proxies.behind.includes(who), said('behind'));
        const olderHears = all.some((each) => each.proxies.connected === undefined && each.proxies.heard.includes(who));
        assert.equal(proxies.connected.has(who), said('connected') || olderHears, 'who reports to an older version is taken for connected');
      }
    }),
  );
});

test('what is written is read back; anything else is nothing', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('shop/a', 'shop/b'), sight), (sights) => {
      const map = new Map(Object.entries(sights));
      assert.deepEqual(decodeSights(encodeSights(map)), map);
    }),
  );
  for (const text of ['', 'null', '{}', '{"version":2,"sights":{}}', '[']) assert.equal(decodeSights(Buffer.from(text)), undefined);
});
