import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hash32 } from '../../../gateway/balance/hash.ts';
import { buildTable, type Share, type TableSpec } from '../../../gateway/balance/hash-table.ts';

const specs: readonly TableSpec[] = [
  { type: 'ring', minimumRingSize: 4_096 },
  { type: 'maglev', tableSize: 65_537 },
];
const keys = Array.from({ length: 4_000 }, (_, i) => hash32(`key-${i}`));
const hosts = fc.uniqueArray(
  fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([ip, port]) => `${ip}:${port}`),
  {
    minLength: 2,
    maxLength: 20,
  },
);

function place(spec: TableSpec, shares: readonly Share[]): readonly string[] {
  const table = buildTable(spec, shares);
  return keys.map((hash) => shares[table.lookup(hash)]?.key ?? '');
}

for (const spec of specs) {
  describe(spec.type, () => {
    test('removing one of n moves its own keys and few others', () => {
      fc.assert(
        fc.property(hosts, (names) => {
          const shares = names.map((key) => ({ key, weight: 1 }));
          const [gone] = names;
          const before = place(spec, shares);
          const after = place(spec, shares.slice(1));
          const owned = before.filter((key) => key === gone).length;
          const moved = before.filter((key, i) => key !== gone && after[i] !== key).length;
          assert.ok(!after.includes(gone ?? ''));
          assert.ok(owned < (2.2 * keys.length) / names.length, `${owned} of ${keys.length} keys were with one of ${names.length}`);
          assert.ok(moved < 0.06 * keys.length, `${moved} of ${keys.length} keys moved for nothing`);
        }),
        { numRuns: 25 },
      );
    });

    test('shares are as the weights', () => {
      const weighed = fc.tuple(hosts, fc.infiniteStream(fc.integer({ min: 1, max: 10 })));
      fc.assert(
        fc.property(weighed, ([names, weights]) => {
          const shares = names.map((key) => ({ key, weight: weights.next().value as number }));
          const total = shares.reduce((sum, { weight }) => sum + weight, 0);
          const placed = place(spec, shares);
          for (const { key, weight } of shares) {
            const got = placed.filter((each) => each === key).length / keys.length;
            const expected = weight / total;
            // A ring of 4,096 places is within a few of its square roots; maglev is nearly exact; the keys are a sample of 4,000.
            assert.ok(Math.abs(got - expected) < 0.25 * expected + 0.03, `${key}: ${got} instead of ${expected}`);
          }
        }),
        { numRuns: 25 },
      );
    });

    test('the order in which hosts are listed hardly matters, and the skipped are never found', () => {
      const shares = ['a:1', 'b:1', 'c:1'].map((key) => ({ key, weight: 1 }));
      const table = buildTable(spec, shares);
      for (const hash of keys.slice(0, 500)) {
        assert.notEqual(
          table.lookup(hash, (index) => index === 1),
          1,
        );
        assert.equal(
          table.lookup(hash, () => true),
          -1,
        );
      }
      assert.equal(buildTable(spec, []).lookup(1), -1);
    });
  });
}

test('MurmurHash3: published values', () => {
  assert.equal(hash32(''), 0);
  assert.equal(hash32('', 1), 0x514e28b7);
  assert.equal(hash32('test'), 0xba6bd213);
  assert.equal(hash32('Hello, world!'), 0xc0363e43);
  assert.equal(hash32('The quick brown fox jumps over the lazy dog', 0x9747b28c), 0x2fa826cd);
});
