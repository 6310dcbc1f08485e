import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ObjectOwner, ObjectSource, OwnedObject } from '../../../control/objects/index.ts';
import { ObjectSet } from '../../../control/objects/object-set.ts';

const owners: readonly ObjectOwner[] = [
  { cluster: 'east', source: 'file' },
  { cluster: 'east', source: 'api' },
  { cluster: 'west', source: 'api' },
];

function object(owner: ObjectOwner, name: string, createdAt: number): OwnedObject {
  const ref = { group: 'security.istio.io', kind: 'AuthorizationPolicy', namespace: 'shop', name };
  const spec = { selector: {}, action: 'DENY' as const, rules: [] };
  return { ref, owner, createdAt, document: { name }, object: { kind: 'AuthorizationPolicy', namespace: 'shop', name, spec } };
}

type Step = { readonly owner: number; readonly names: Readonly<Record<string, number>> | null };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    owner: fc.nat({ max: 2 }),
    names: fc.option(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat({ max: 3 })), { freq: 4 }),
  }),
  { maxLength: 20 },
);

function owner(index: number): ObjectOwner {
  const found = owners[index];
  assert.ok(found !== undefined);
  return found;
}

function sourceOf({ owner: index, names }: Step): ObjectSource {
  const own = owner(index);
  return { owner: own, objects: new Map(Object.entries(names ?? {}).map(([name, at]) => [`k/${name}`, object(own, name, at)])) };
}

test('whatever the order of steps: the oldest wins, ties by cluster then source, losers are reported, and equal objects stay the same', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const set = new ObjectSet();
      const model = new Map<number, ObjectSource>();
      let told = 0;
      set.subscribe(() => {
        told += 1;
      });
      for (const step of all) {
        const before = set.current();
        if (step.names === null) {
          set.removeSource(owner(step.owner));
          model.delete(step.owner);
        } else {
          const source = sourceOf(step);
          set.setSource(source);
          model.set(step.owner, source);
          const now = set.current();
          set.setSource({ ...source });
          assert.equal(set.current(), now, 'the same again changes nothing');
        }
        const after = set.current();
        assert.equal(after.revision - before.revision, after === before ? 0 : 1);
        assert.equal(told, after.revision);
      }
      const view = set.current();
      for (const key of ['k/a', 'k/b', 'k/c', 'k/d']) {
        const holders = [...model.values()].flatMap((s) => s.objects.get(key) ?? []);
        const rank = (o: OwnedObject) => `${o.createdAt} ${o.owner.cluster} ${o.owner.source}`;
        const [first, ...rest] = holders.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
        assert.equal(view.objects.get(key), first);
        const conflict = view.conflicts.find((c) => c.key === key);
        assert.deepEqual(conflict?.winner, rest.length === 0 ? undefined : first?.owner);
        assert.deepEqual(
          conflict?.losers ?? [],
          rest.map((o) => o.owner),
        );
      }
      assert.equal(view.objects.size, new Set([...model.values()].flatMap((s) => [...s.objects.keys()])).size);
    }),
  );
});

test('what a source refuses is in the view with its owner, goes with it, and blocks nothing', () => {
  const set = new ObjectSet();
  const refused = [{ key: 'k/new', violations: [{ path: 'spec.future', message: 'is not known' }] }];
  set.setSource({ ...sourceOf({ owner: 2, names: { a: 1 } }), refused });
  assert.deepEqual(set.current().refused, [{ ...refused[0], owner: owner(2) }]);
  assert.equal(set.current().objects.size, 1);
  set.removeSource(owner(2));
  assert.deepEqual([set.current().refused.length, set.current().objects.size], [0, 0]);
});
