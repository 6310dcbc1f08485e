import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type InterestLimits, NameInterest } from '../../../sidecar-vm/mesh/name-interest.ts';

const limits: InterestLimits = { kept: 4, asked: 3, asksPerSecond: 2, absentMs: 30, forgetMs: 1_000 };
const host = fc.constantFrom(...'abcdefghijkl');
const step = fc.record({
  kind: fc.constantFrom('look', 'look', 'confirm', 'use', 'sweep'),
  host,
  afterMs: fc.integer({ min: 0, max: 600 }),
  inUse: fc.uniqueArray(host, { maxLength: 3 }).map((hosts) => new Set(hosts)),
});

test('whatever is looked up, confirmed and used: bounds hold, configured names stay, used and connected ones are not let go early', () => {
  fc.assert(
    fc.property(fc.uniqueArray(host, { maxLength: 3 }), fc.array(step, { maxLength: 60 }), (configured, steps) => {
      const names = new NameInterest(limits);
      names.configure(new Set(configured));
      const lastUse = new Map<string, number>();
      let now = 0;
      for (const { kind, host: name, afterMs, inUse } of steps) {
        now += afterMs;
        const before = names.names();
        const kept = new Set(names.kept.keys());
        if (kind === 'look') {
          const found = names.lookUp(name, now);
          assert.equal(found === 'known', configured.includes(name) || kept.has(name));
          assert.equal(names.names().has(name), found !== 'refused', 'whatever is waited for is asked for');
        } else if (kind === 'confirm') {
          const asked = names.asked.has(name);
          names.confirm(name, now, () => inUse);
          if (asked) {
            assert.equal(names.asked.has(name), false);
            const gone = [...kept].filter((each) => !names.kept.has(each));
            assert.ok(gone.length <= 1);
            for (const each of gone) assert.ok(!inUse.has(each) && [...kept].indexOf(each) <= inUse.size, 'the least recently used goes');
            if (names.kept.has(name)) lastUse.set(name, now);
          }
        } else if (kind === 'use') {
          names.use(name, now);
          assert.deepEqual(names.names(), before, 'use alone makes nobody interested');
          if (names.kept.has(name)) lastUse.set(name, now);
        } else {
          for (const each of inUse) if (kept.has(each)) lastUse.set(each, now);
          names.sweep(now, inUse);
          for (const each of kept) {
            assert.equal(names.kept.has(each), now - (lastUse.get(each) ?? 0) < limits.forgetMs, `${each} at ${now}`);
          }
          for (const [, since] of names.asked) assert.ok(now - since < limits.absentMs);
          assert.ok(names.dueIn(now) > 0, 'nothing is due after a sweep');
        }
        assert.ok(names.kept.size <= limits.kept && names.asked.size <= limits.asked);
        for (const each of configured) assert.ok(names.names().has(each));
      }
    }),
    { numRuns: 500 },
  );
});

test('new names come at a bounded rate, whatever is asked; a quiet machine gets its burst', () => {
  const names = new NameInterest({ ...limits, asked: 10, asksPerSecond: 5 });
  let taken = 0;
  for (let n = 0; n < 100_000; n++) if (names.lookUp(`n${n}`, n / 10) === 'ask') taken += 1;
  assert.equal(taken, 10 + 50 - 1);
  assert.equal(names.asked.size, 10);
  const later = names.lookUp('late', 60_000);
  assert.equal(later, 'ask');
});

test('what the last run kept comes back, the most recently used when there are too many; time off does not count', () => {
  const names = new NameInterest(limits);
  names.configure(new Set(['c']));
  names.restore(new Map([...'abcdefg'].map((each, n) => [each, n * 100])), 50_000);
  assert.deepEqual([...names.kept.keys()], ['e', 'd', 'b', 'a']);
  assert.equal(names.sweep(50_599, new Set()), false);
  assert.equal(names.sweep(50_600, new Set()), true);
  assert.deepEqual([...names.kept.keys()], ['d', 'b', 'a']);
});
