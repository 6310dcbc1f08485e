import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { localityWeights, shareWeights } from '../../../control/snapshot/weights.ts';

const group = fc.record({ weight: fc.integer({ min: 0, max: 500 }), addresses: fc.integer({ min: 1, max: 12 }) });

test('every group gets exactly its share over gateways × zones; nothing is truncated, nothing that had weight gets none', () => {
  fc.assert(
    fc.property(fc.array(group, { minLength: 1, maxLength: 8 }), (groups) => {
      const shares = shareWeights(groups);
      const totals = groups.map((g, i) => BigInt(shares[i] ?? 0) * BigInt(g.addresses));
      for (const [i, a] of groups.entries()) {
        assert.ok(Number.isInteger(shares[i]) && (shares[i] ?? 0) < 2 ** 32);
        assert.equal((shares[i] ?? 0) > 0, a.weight > 0);
        // total_i / total_j = weight_i / weight_j, in integers
        for (const [j, b] of groups.entries()) assert.equal((totals[i] ?? 0n) * BigInt(b.weight), (totals[j] ?? 0n) * BigInt(a.weight));
      }
    }),
  );
});

test('fractional weights keep their order and their proportion to a thousandth', () => {
  const [a = 0, b = 0] = shareWeights([
    { weight: 0.5, addresses: 1 },
    { weight: 1.5, addresses: 1 },
  ]);
  assert.ok(Math.abs(b / a - 3) < 0.01);
});

const share = fc.record({
  pattern: fc.constantFrom('eu', 'us', 'ap'),
  endpoints: fc.integer({ min: 0, max: 20 }),
});
const ofPattern = fc.record({
  eu: fc.integer({ min: 1, max: 100 }),
  us: fc.integer({ min: 1, max: 100 }),
  ap: fc.integer({ min: 1, max: 100 }),
});

test('each pattern of distribute gets exactly its share, divided among its localities by what they have', () => {
  fc.assert(
    fc.property(fc.array(share, { minLength: 1, maxLength: 6 }), ofPattern, (list, to) => {
      const shares = list.map((s) => ({ ...s, weight: to[s.pattern as keyof typeof to] }));
      const weights = localityWeights(shares);
      const sum = (pattern: string, of: (i: number) => number) =>
        shares.reduce((total, s, i) => total + (s.pattern === pattern ? BigInt(of(i)) : 0n), 0n);
      const given = (pattern: string) => sum(pattern, (i) => weights[i] ?? 0);
      const there = (pattern: string) => sum(pattern, (i) => shares[i]?.endpoints ?? 0);
      for (const [i, a] of shares.entries()) {
        assert.ok(Number.isInteger(weights[i]) && (weights[i] ?? 0) < 2 ** 32);
        assert.equal(BigInt(weights[i] ?? 0) * there(a.pattern), given(a.pattern) * BigInt(a.endpoints));
        for (const b of shares) {
          if (there(a.pattern) === 0n || there(b.pattern) === 0n) continue;
          assert.equal(given(a.pattern) * BigInt(b.weight), given(b.pattern) * BigInt(a.weight));
        }
      }
    }),
  );
});
