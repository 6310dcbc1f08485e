import assert from 'node:assert/strict';
import test from 'node:test';
import { parserFor } from '../../../control/assemble/objects.ts';
import { WatchedObjects, type WatchedObjectsOptions } from '../../../control/objects/watched/watched-objects.ts';
import { gateway, httpRoute, kinds, type native, virtualService, wrongService } from './natives.ts';

const owner = { cluster: 'east', source: 'kubernetes/west' };
const key = (kind: keyof typeof kinds, id: string) => `${kinds[kind].group}/${kind}/${id}`;
const vs = key('VirtualService', 'shop/orders');

function watched(more: Partial<WatchedObjectsOptions> = {}) {
  const told: string[] = [];
  const objects = new WatchedObjects({
    owner,
    selection: { kinds: [], namespaces: ['*'] },
    namespaces: [],
    parse: parserFor('mesh.test'),
    onRefused: (id, violations, kept) =>
      told.push(`${id.split('/').pop()} ${violations.length > 0 ? 'refused' : 'fine'}${kept ? ', kept' : ''}`),
    ...more,
  });
  const inForce = () => [...(objects.source()?.objects.keys() ?? [])].map((each) => each.split('/').slice(1).join('/')).sort();
  const statusOf = (id = vs) => JSON.stringify(objects.source()?.objects.get(id)?.document['spec']).match(/"status":(\d+)/)?.[1];
  return { objects, told, inForce, statusOf };
}

const stored = (object: ReturnType<typeof native>) => ({ document: object.document, createdAt: object.createdAt });

test('nothing is known before the first word: unknown is not empty', () => {
  const { objects } = watched();
  assert.equal(objects.source(), undefined);
  objects.restore(new Map());
  assert.equal(objects.source(), undefined);
  objects.replace(kinds.VirtualService, undefined, []);
  assert.deepEqual(objects.source(), { owner, objects: new Map(), refused: [] });
});

test('owned by Kubernetes, as old as it says; what says the same is the same object', () => {
  const { objects } = watched();
  objects.replace(kinds.VirtualService, undefined, [virtualService('shop/orders', 418)]);
  const before = objects.source();
  const object = before?.objects.get(vs);
  assert.deepEqual([object?.owner, object?.createdAt], [owner, 1_000]);
  assert.ok(object?.object.kind === 'VirtualService' && object.object.spec.createdAt === 1_000);
  objects.put(kinds.VirtualService, virtualService('shop/orders', 418));
  objects.replace(kinds.VirtualService, undefined, [virtualService('shop/orders', 418)]);
  assert.equal(objects.source(), before);
  objects.put(kinds.VirtualService, virtualService('shop/orders', 418, 2_000));
  assert.equal(objects.source()?.objects.get(vs)?.createdAt, 2_000, 'deleted and made again');
});

test('one that cannot be used leaves the last that could in force, until there is a better one or none', () => {
  const { objects, told, inForce, statusOf } = watched();
  objects.put(kinds.VirtualService, virtualService('shop/orders', 418));
  objects.replace(kinds.VirtualService, undefined, [virtualService('shop/orders', 418)]);
  objects.put(kinds.VirtualService, wrongService('shop/orders'));
  objects.put(kinds.VirtualService, wrongService('shop/orders'));
  assert.equal(statusOf(), '418');
  assert.deepEqual(
    objects.source()?.refused?.map((r) => [r.key, r.violations[0]?.path]),
    [[vs, 'spec.hosts[0]']],
  );
  objects.put(kinds.VirtualService, virtualService('shop/orders', 410));
  assert.deepEqual([statusOf(), objects.source()?.refused], ['410', []]);
  objects.put(kinds.VirtualService, wrongService('shop/orders'));
  objects.remove(kinds.VirtualService, 'shop', 'orders');
  assert.deepEqual([inForce(), objects.source()?.refused], [[], []]);
  objects.put(kinds.VirtualService, wrongService('shop/orders'));
  assert.deepEqual([inForce(), objects.source()?.refused?.length], [[], 1], 'one that never could is not in force');
  assert.deepEqual(told, ['orders refused, kept', 'orders fine, kept', 'orders refused, kept', 'orders fine', 'orders refused']);
});

test('what is larger than may be shared is refused', () => {
  const { objects } = watched();
  const big = virtualService('shop/orders', 418);
  objects.put(kinds.VirtualService, { ...big, document: { ...big.document, more: 'x'.repeat(256 * 1024) } });
  objects.replace(kinds.Gateway, undefined, []);
  assert.match(objects.source()?.refused?.[0]?.violations[0]?.message ?? '', /larger than 262144 bytes/);
});

test('restored: in force at once, and swept kind by kind as each was read whole, in its own namespaces', () => {
  const { objects, inForce, statusOf } = watched();
  objects.restore(
    new Map([
      [vs, stored(virtualService('shop/orders', 418))],
      [key('VirtualService', 'other/gone'), stored(virtualService('other/gone', 418))],
      [key('Gateway', 'shop/mine'), stored(gateway('shop/mine'))],
      [key('HTTPRoute', 'shop/in'), stored(httpRoute('shop/in', 'mine'))],
    ]),
  );
  assert.deepEqual(inForce(), ['Gateway/shop/mine', 'HTTPRoute/shop/in', 'VirtualService/other/gone', 'VirtualService/shop/orders']);
  const before = objects.source()?.objects.get(vs);
  objects.replace(kinds.VirtualService, 'shop', [virtualService('shop/orders', 418)]);
  assert.equal(objects.source()?.objects.get(vs), before, 'the same as before is the same object');
  assert.ok(inForce().includes('VirtualService/other/gone'));
  objects.replace(kinds.VirtualService, 'other', []);
  assert.deepEqual(inForce(), ['Gateway/shop/mine', 'HTTPRoute/shop/in', 'VirtualService/shop/orders']);
  objects.replace(kinds.VirtualService, undefined, [wrongService('shop/orders')]);
  assert.equal(statusOf(), '418', 'the last good one is that of the earlier process');
});

test('restored: what would not be read now is not in force', () => {
  const kept = new Map([
    [vs, stored(virtualService('shop/orders', 418))],
    [key('Gateway', 'shop/mine'), stored(gateway('shop/mine'))],
    [key('Gateway', 'edge/mine'), stored(gateway('edge/mine'))],
  ]);
  const { objects, inForce } = watched({ selection: { kinds: ['Gateway'], namespaces: ['*'] }, namespaces: ['edge'] });
  objects.restore(kept);
  assert.deepEqual(inForce(), ['Gateway/edge/mine']);
});

test('routes wait for the Gateways, follow them, and leave with them', () => {
  const { objects, told, inForce } = watched();
  objects.restore(new Map([[key('HTTPRoute', 'shop/in'), stored(httpRoute('shop/in', 'mine'))]]));
  objects.replace(kinds.HTTPRoute, undefined, [httpRoute('shop/in', 'mine'), httpRoute('shop/out', 'theirs')]);
  assert.deepEqual(inForce(), ['HTTPRoute/shop/in'], 'that of before, and nothing that is not decided');
  objects.replace(kinds.Gateway, undefined, [gateway('shop/mine'), gateway('shop/theirs', 'other')]);
  assert.deepEqual(inForce(), ['Gateway/shop/mine', 'HTTPRoute/shop/in']);
  objects.put(kinds.Gateway, gateway('shop/theirs'));
  assert.deepEqual(inForce(), ['Gateway/shop/mine', 'Gateway/shop/theirs', 'HTTPRoute/shop/in', 'HTTPRoute/shop/out']);
  objects.put(kinds.Gateway, gateway('shop/mine', 'other'));
  assert.deepEqual(inForce(), ['Gateway/shop/theirs', 'HTTPRoute/shop/out']);
  objects.remove(kinds.HTTPRoute, 'shop', 'out');
  assert.deepEqual([inForce(), told], [['Gateway/shop/theirs'], []], 'and none of it was ever refused');
});

test('a route that names our Gateway is read wherever it is; with Gateways of some namespaces alone, those of others count as absent', () => {
  const { objects, inForce } = watched({ selection: { kinds: ['HTTPRoute'], namespaces: [] }, namespaces: ['shop', 'edge'] });
  objects.replace(kinds.HTTPRoute, 'shop', [httpRoute('shop/in', 'mine'), httpRoute('shop/out', 'nowhere')]);
  objects.replace(kinds.Gateway, 'shop', [gateway('shop/mine')]);
  assert.deepEqual(inForce(), ['HTTPRoute/shop/in'], 'and the Gateway, whose kind was not asked for, is not');
});
