import assert from 'node:assert/strict';
import test from 'node:test';
import type { MergedService } from '../../../control/catalog/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { hostSuffix, leads, meshService, routingOf } from '../../support/traffic-model.ts';
import { destinationRule, rule, serviceEntry, subset, to, virtualService } from '../../support/traffic-objects.ts';

const count = 500;
const names = Array.from({ length: count }, (_, i) => `shop/s${i}`);
const services = names.map((name) => meshService(name, { 80: 'http' }, [{ instance: 'a' }]));
const routes = names.map((_, i) => virtualService(`shop/v${i}`, [`s${i}`], [rule('r', [to(`s${(i + 1) % count}`)])]));
const key = (name: string) => name as ServiceKey;

function started(objects: readonly TrafficObject[] = routes) {
  const compiler = createTrafficCompiler({ hostSuffix });
  const first = compiler.update(objects, viewOf(services));
  const before = compiler.compiled;
  return { compiler, first, cost: () => compiler.compiled - before };
}

const replaced = <T>(list: readonly T[], i: number, value: T): readonly T[] => list.map((each, j) => (i === j ? value : each));

test('the first model is everything, and an update without change is the same model', () => {
  const { compiler, first, cost } = started();
  assert.equal(first.changed.services.size, count);
  assert.equal(compiler.update([...routes], viewOf(services)), first);
  assert.equal(cost(), 0);
});

test('an object costs the services it concerns', () => {
  const { compiler, first, cost } = started();
  const next = compiler.update(replaced(routes, 7, virtualService('shop/v7', ['s7'], [rule('new', [to('s9')])])), viewOf(services));
  assert.deepEqual([...next.changed.services], ['shop/s7']);
  assert.deepEqual(leads(routingOf(next, 'shop/s7')), [['new', 'outbound|80||s9.shop.mesh.internal']]);
  assert.deepEqual(leads(routingOf(first, 'shop/s7')), [['r', 'outbound|80||s8.shop.mesh.internal']], 'the model before stands as it was');
  assert.equal(next.service(key('shop/s8')), first.service(key('shop/s8')));
  assert.ok(cost() <= 3, `${cost()} compiled`);
});

test('an object that comes again with the same content changes nothing', () => {
  const { compiler, first } = started();
  const same = virtualService('shop/v7', ['s7'], [rule('r', [to('s8')])]);
  assert.equal(compiler.update(replaced(routes, 7, same), viewOf(services)), first);
});

test('endpoints that come and go cost nothing', () => {
  const { compiler, first, cost } = started();
  const more = meshService('shop/s3', { 80: 'http' }, [{ instance: 'a' }, { instance: 'b' }]);
  assert.equal(compiler.update(routes, viewOf(replaced(services, 3, more)), new Set([key('shop/s3')])), first);
  assert.equal(cost(), 0);
});

test('a service whose ports change, that goes or comes, costs those that lead to it', () => {
  const { compiler, cost } = started();
  const update = (list: readonly MergedService[]) => compiler.update(routes, viewOf(list), new Set([key('shop/s3')]));
  const moved = update(replaced(services, 3, meshService('shop/s3', { 81: 'http' })));
  assert.deepEqual([...moved.changed.services].sort(), ['shop/s2', 'shop/s3']);
  assert.deepEqual(leads(routingOf(moved, 'shop/s2')), [['r', 'outbound|81||s3.shop.mesh.internal']]);
  const gone = update(services.filter((_, i) => i !== 3));
  assert.deepEqual(leads(routingOf(gone, 'shop/s2')), [['r', '503']]);
  assert.equal(gone.service(key('shop/s3')), undefined);
  const back = update(services);
  assert.deepEqual(leads(routingOf(back, 'shop/s2')), [['r', 'outbound|80||s3.shop.mesh.internal']]);
  assert.ok(cost() <= 15, `${cost()} compiled`);
});

test('subsets, delegates, wildcards and entries reach those that depend on them', () => {
  const root = virtualService(
    'shop/v0',
    ['s0'],
    [rule('root', [], { delegate: { namespace: 'shop', name: 'd' } }), rule('own', [to('s1', { subset: 'v1' })])],
  );
  const base = replaced<TrafficObject>(routes, 0, root);
  const { compiler } = started(base);
  const update = (objects: readonly TrafficObject[]) => compiler.update(objects, viewOf(services));
  assert.deepEqual(leads(routingOf(update(base), 'shop/s0')), [['own', '503']]);
  const delegate = virtualService('shop/d', [], [rule('d', [to('s2')])]);
  const both = update([...base, delegate, destinationRule('shop/r', 's1', { subsets: [subset('v1')] })]);
  assert.deepEqual([...both.changed.services].sort(), ['shop/s0', 'shop/s1']);
  assert.deepEqual(leads(routingOf(both, 'shop/s0')), [
    ['root-d', 'outbound|80||s2.shop.mesh.internal'],
    ['own', 'outbound|80|v1|s1.shop.mesh.internal'],
  ]);
  const wild = update([...base.slice(1), virtualService('shop/w', ['*.shop.mesh.internal'], [rule('wild', [to('bank.example')])])]);
  assert.deepEqual(leads(routingOf(wild, 'shop/s0')), [['wild', '503']]);
  const entry = update([
    ...base.slice(1),
    virtualService('shop/w', ['*.shop.mesh.internal'], [rule('wild', [to('bank.example')])]),
    serviceEntry('shop/s5', ['bank.example']),
  ]);
  assert.deepEqual(leads(routingOf(entry, 'shop/s0')), [['wild', 'outbound|80||s5.shop.mesh.internal']]);
});
