import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findDrift, type HeldAs, type Holding, type PairDrift } from '../../../control/drift/index.ts';
import { contentHash } from '../../../control/peering/shared-objects.ts';

type Versions = Readonly<Record<string, string>>;
interface Site {
  readonly owner: { readonly versions: Versions; readonly revision: number; readonly current: boolean } | undefined;
  readonly holders: readonly {
    readonly versions: Versions;
    readonly refused: readonly string[];
    readonly revision: number;
    readonly current: boolean;
    readonly named: boolean;
    readonly silent: boolean;
  }[];
}

const versions = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'), { maxKeys: 4 });
const revision = fc.integer({ min: 1, max: 3 });
const site: fc.Arbitrary<Site> = fc.record({
  owner: fc.option(fc.record({ versions, revision, current: fc.boolean() }), { nil: undefined }),
  holders: fc.array(
    fc.record({
      versions,
      refused: fc.subarray(['a', 'b', 'c', 'd']),
      revision,
      current: fc.boolean(),
      named: fc.boolean(),
      silent: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

function holding(
  cluster: string,
  of: Versions,
  rest: Pick<Holding, 'current' | 'revision'>,
  refused: readonly string[],
  named: boolean,
): Holding {
  const all = Object.entries(of);
  const names = new Map(all.map(([name, version]): [string, HeldAs] => [name, { version, refused: refused.includes(name) }]));
  return {
    ...rest,
    owner: 'owner',
    cluster,
    hash: contentHash(all.map(([name, version]) => ({ name, version }))),
    objects: all.length,
    refusedObjects: all.filter(([name]) => refused.includes(name)).length,
    ...(named ? { named: names } : {}),
  };
}

function look({ owner, holders }: Site, shuffled = false): readonly PairDrift[] {
  const own = owner === undefined ? [] : [holding('owner', owner.versions, owner, [], true)];
  const others = holders.flatMap((h, i) => (h.silent ? [] : [holding(`h${i}`, h.versions, h, h.refused, h.named)]));
  const pairs = holders.map((_, i) => ({ owner: 'owner', cluster: `h${i}` }));
  const all = [...own, ...others];
  return shuffled ? findDrift([...pairs].reverse(), [...all].reverse()) : findDrift(pairs, all);
}

/** Word for word what an operator would find by comparing the two lists. */
function byHand(has: Versions, holds: Versions, refused: readonly string[]): string[] {
  const names = [...new Set([...Object.keys(has), ...Object.keys(holds)])].sort();
  return names.flatMap((name) => {
    if (holds[name] === undefined) return [`${name} missing`];
    if (has[name] === undefined) return [`${name} extra`];
    if (has[name] !== holds[name]) return [`${name} lags`];
    return refused.includes(name) ? [`${name} refused`] : [];
  });
}

test('while owner and holder can be asked, the report is the comparison of their lists; names or not, nothing that differs is in sync', () => {
  fc.assert(
    fc.property(site, (given) => {
      const { owner, holders } = given;
      for (const [i, pair] of look(given).entries()) {
        const holder = holders[i];
        assert.ok(holder !== undefined);
        if (owner === undefined || !owner.current || !holder.current || holder.silent) continue;
        const expected = byHand(owner.versions, holder.versions, holder.refused);
        assert.equal(pair.state, expected.length === 0 ? 'in-sync' : 'drift');
        // Without names only the number is known, at least.
        if (holder.named)
          assert.deepEqual(
            pair.differences.map((d) => `${d.object} ${d.state}`),
            expected,
          );
        assert.equal(pair.differences.length > 0, expected.length > 0);
      }
    }),
    { numRuns: 2000 },
  );
});

test('who cannot be asked, or holds what its owner cannot be asked about, is never in sync; an older word than another has is drift for certain', () => {
  fc.assert(
    fc.property(site, (given) => {
      const { owner, holders } = given;
      const said = holders.filter((h) => !h.silent);
      const newest = Math.max(owner?.revision ?? 0, ...said.map((h) => h.revision));
      for (const [i, pair] of look(given).entries()) {
        const holder = holders[i];
        assert.ok(holder !== undefined);
        if (holder.silent || !holder.current) assert.equal(pair.state, 'unknown');
        else if (owner?.current !== true) {
          assert.notEqual(pair.state, 'in-sync');
          if (holder.revision < newest) assert.equal(pair.state, 'drift');
        }
        if (pair.state === 'unknown') {
          assert.notEqual(pair.why, '');
          assert.ok(pair.differences.every((d) => d.state === 'unknown'));
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('the order in which clusters speak does not show', () => {
  fc.assert(
    fc.property(site, (given) => assert.deepEqual(look(given, true), look(given))),
    { numRuns: 2000 },
  );
});
