import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namedInNack } from '../../../core/xds/server/nack-text.ts';

const named = (text: string, sent: readonly string[]) => {
  const { named: found, tookRest } = namedInNack(text, sent);
  return [Object.fromEntries(found), tookRest];
};

test('Envoy names clusters and listeners, one after the other, and takes the others', () => {
  const clusters = 'Error adding/updating cluster(s) outbound|80||a.shop: malformed IP address: x, b: no such thing: a';
  assert.deepEqual(named(clusters, ['a', 'b', 'outbound|80||a.shop', 'c']), [
    { 'outbound|80||a.shop': 'malformed IP address: x', b: 'no such thing: a' },
    true,
  ]);
  const listeners = 'Error adding/updating listener(s) in: first line\nout: second\n';
  assert.deepEqual(named(listeners, ['out', 'in', 'n', 't']), [{ in: 'first line', out: 'second' }, true]);
});

test('grpc clients count the resources of the response', () => {
  const text = 'xDS response validation errors: [resource index 0: no endpoints; resource index 2: weights; all of them]';
  assert.deepEqual(named(text, ['x', 'y', 'z']), [{ x: 'no endpoints', z: 'weights; all of them' }, true]);
  assert.deepEqual(named('resource index 7: what', ['x']), [{}, false], 'there is no eighth');
});

test('what Envoy cannot validate it shows, and takes nothing', () => {
  const text = 'goo.gle/debugstr name: "b"\ncluster_name: "a"\n: Proto constraint validation failed (ClusterValidationError.Type)';
  assert.deepEqual(named(text, ['a', 'b'])[1], false);
  assert.deepEqual(Object.keys(named(text, ['a', 'b'])[0] as object), ['b']);
});

test('a word of the language is no name, and a part of a name is not the name', () => {
  assert.deepEqual(named('the route is a bad one', ['route', 'a', 'bad']), [{}, false]);
  assert.deepEqual(named('no such host: web-1.shop.mesh', ['web-1', 'web-1.shop']), [{}, false]);
  assert.deepEqual(Object.keys(named('refused (web-1.shop): no', ['web-1', 'web-1.shop'])[0] as object), ['web-1.shop']);
});

test('a text of any length and form costs little and throws nothing', () => {
  const sent = Array.from({ length: 1000 }, (_, i) => `cluster-${i}`);
  for (const text of [
    '',
    ': '.repeat(100_000),
    'resource index 9999999999999999999: x',
    `Error adding/updating cluster(s) ${'a: '.repeat(50_000)}`,
  ]) {
    assert.equal(namedInNack(text, sent).named.size, 0);
  }
});
