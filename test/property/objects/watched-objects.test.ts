import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parserFor } from '../../../control/assemble/objects.ts';
import { WatchedObjects } from '../../../control/objects/watched/watched-objects.ts';
import type { NativeObject } from '../../../core/registry/index.ts';
import { gateway, httpRoute, kinds, virtualService, wrongService } from '../../unit/objects/natives.ts';

type Kind = keyof typeof kinds;
type Version = 'good' | 'better' | 'wrong';

const ids = ['shop/a', 'shop/b', 'edge/a'] as const;
const owner = { cluster: 'east', source: 'kubernetes/prod' };
const parse = parserFor('mesh.test');
const all = { kinds: [], namespaces: ['*'] };

/** `wrong`: refused, or another implementation's. */
function made(kind: Kind, id: string, version: Version): NativeObject {
  if (kind === 'VirtualService') return version === 'wrong' ? wrongService(id) : virtualService(id, version === 'good' ? 410 : 418);
  if (kind === 'Gateway') return gateway(id, version === 'wrong' ? 'other' : 'isthmus');
  return httpRoute(id, version === 'good' ? 'a' : 'b');
}

const step = fc.record({
  kind: fc.constantFrom<Kind>('VirtualService', 'Gateway', 'HTTPRoute'),
  id: fc.constantFrom(...ids),
  /** null: deleted. */
  version: fc.option(fc.constantFrom<Version>('good', 'better', 'wrong'), { freq: 4 }),
  /** By a list of everything instead of a word about the one. */
  listed: fc.boolean(),
});

function watched(): WatchedObjects {
  const objects = new WatchedObjects({ owner, selection: all, namespaces: [], parse, onRefused: () => {} });
  for (const kind of Object.values(kinds)) objects.replace(kind, undefined, []);
  return objects;
}

const inForce = (objects: WatchedObjects) =>
  [...(objects.source()?.objects ?? [])].map(([key, { document }]) => `${key} ${JSON.stringify(document)}`).sort();
const refused = (objects: WatchedObjects) => (objects.source()?.refused ?? []).map((r) => r.key).sort();

test('whatever the history: what can be used is as if read at once, of the rest the last that could is in force, and a restart changes nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (history) => {
      const objects = watched();
      const natives = new Map<string, { kind: Kind; object: NativeObject }>();
      const lastGood = new Map<string, NativeObject>();
      for (const { kind, id, version, listed } of history) {
        const name = `${kind} ${id}`;
        if (version === null) {
          natives.delete(name);
          lastGood.delete(name);
        } else {
          const object = made(kind, id, version);
          natives.set(name, { kind, object });
          if (kind === 'VirtualService' && version !== 'wrong') lastGood.set(name, object);
        }
        const [namespace = '', short = ''] = id.split('/');
        const now = natives.get(name)?.object;
        if (listed)
          objects.replace(
            kinds[kind],
            undefined,
            [...natives.values()].flatMap((n) => (n.kind === kind ? [n.object] : [])),
          );
        else if (now !== undefined) objects.put(kinds[kind], now);
        else objects.remove(kinds[kind], namespace, short);
      }
      const atOnce = watched();
      for (const kind of Object.keys(kinds) as Kind[]) {
        const good = [...natives].flatMap(([name, n]) => {
          const best = kind === 'VirtualService' ? lastGood.get(name) : n.object;
          return n.kind === kind && best !== undefined ? [best] : [];
        });
        atOnce.replace(kinds[kind], undefined, good);
      }
      assert.deepEqual(inForce(objects), inForce(atOnce));
      const wrong = [...natives.values()].filter(({ kind, object }) => kind === 'VirtualService' && /\*\.b/.test(JSON.stringify(object)));
      assert.equal(refused(objects).length, wrong.length);

      const again = new WatchedObjects({ owner, selection: all, namespaces: [], parse, onRefused: () => {} });
      again.restore(objects.source()?.objects ?? new Map());
      if ((objects.source()?.objects.size ?? 0) > 0) assert.deepEqual(inForce(again), inForce(objects));
      // Routes first: they wait for their Gateways.
      for (const kind of ['HTTPRoute', 'VirtualService', 'Gateway'] as const) {
        again.replace(
          kinds[kind],
          undefined,
          [...natives.values()].flatMap((n) => (n.kind === kind ? [n.object] : [])),
        );
        if (kind !== 'Gateway') assert.deepEqual(inForce(again), inForce(objects), `after ${kind}`);
      }
      assert.deepEqual([inForce(again), refused(again)], [inForce(objects), refused(objects)]);
    }),
  );
});
