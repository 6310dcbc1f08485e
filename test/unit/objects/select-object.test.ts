import assert from 'node:assert/strict';
import test from 'node:test';
import { type GatewayOwner, isOthers, isOwnGateway, isSelected, ownPart } from '../../../control/objects/watched/select-object.ts';
import { native } from './natives.ts';

const owners: Readonly<Record<string, ReturnType<GatewayOwner>>> = { 'shop/mine': 'ours', 'shop/theirs': 'foreign', 'edge/mine': 'ours' };
const owner: GatewayOwner = (namespace, name) => owners[`${namespace}/${name}`] ?? 'absent';
const route = (...parentRefs: object[]) => native('HTTPRoute', 'shop/one', { parentRefs });
const parentsOf = (part: ReturnType<typeof ownPart>) =>
  typeof part === 'string' ? part : (part.document['spec'] as { parentRefs: readonly object[] }).parentRefs;

test('an object that says nothing is read where all are; one that says isthmus everywhere; one of another revision nowhere', () => {
  const plain = native('VirtualService', 'shop/one');
  const labelled = (revision: string) => native('VirtualService', 'shop/one', {}, { 'istio.io/rev': revision });
  const cases: [object: typeof plain, namespaces: string[], read: boolean][] = [
    [plain, ['*'], true],
    [plain, ['shop'], true],
    [plain, ['other'], false],
    [plain, [], false],
    [labelled('isthmus'), [], true],
    [labelled('isthmus'), ['other'], true],
    [labelled('default'), ['*'], false],
    [labelled('1-29'), ['shop'], false],
    [labelled(''), ['*'], false],
  ];
  for (const [object, namespaces, read] of cases) {
    assert.equal(isSelected(object, { kinds: [], namespaces }), read, `${JSON.stringify(object.document)} in ${namespaces.join()}`);
  }
  assert.deepEqual([plain, labelled('isthmus'), labelled('1-29')].map(isOthers), [false, false, true]);
});

test('a Gateway is ours by its class alone', () => {
  const of = (spec: object) => isOwnGateway(native('Gateway', 'shop/one', spec));
  assert.deepEqual([{ gatewayClassName: 'isthmus' }, { gatewayClassName: 'istio' }, {}, { gatewayClassName: 1 }].map(of), [
    true,
    false,
    false,
    false,
  ]);
});

test('of a route, the parents of other implementations are left out, and with no other the route', () => {
  const mine = { name: 'mine' };
  const theirs = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'theirs' };
  const service = { group: '', kind: 'Service', name: 'orders' };
  assert.deepEqual(ownPart(route(mine, service), owner), { document: route(mine, service).document, attached: true });
  assert.deepEqual(parentsOf(ownPart(route(theirs, mine, { kind: 'XMesh', group: 'x.dev', name: 'm' }), owner)), [mine]);
  assert.deepEqual(ownPart(route(service), owner), { document: route(service).document, attached: false });
  for (const parents of [
    [theirs],
    [],
    [theirs, { kind: 'ListenerSet', name: 'mine' }],
    [{ group: 'other.dev', kind: 'Gateway', name: 'mine' }],
  ]) {
    assert.equal(ownPart(route(...parents), owner), 'foreign', JSON.stringify(parents));
  }
  assert.deepEqual(parentsOf(ownPart(route({ name: 'mine', namespace: 'edge' }), owner)), [{ name: 'mine', namespace: 'edge' }]);
});

test('a Gateway that is nowhere may come: the route stays; before the Gateways are read nothing is decided', () => {
  assert.deepEqual(ownPart(route({ name: 'nowhere' }), owner), { document: route({ name: 'nowhere' }).document, attached: false });
  assert.equal(
    ownPart(route({ name: 'mine' }, { kind: 'Service', group: '', name: 'a' }), () => 'unknown'),
    'undecided',
  );
});

test('what is written wrong is no reason to leave it out in silence', () => {
  assert.notEqual(ownPart(route({ group: 'core', kind: 'Service', name: 'orders' }), owner), 'foreign');
  assert.equal(ownPart(native('HTTPRoute', 'shop/one', { parentRefs: 'mine' }), owner), 'foreign', 'nothing names us');
});
