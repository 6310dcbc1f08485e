import assert from 'node:assert/strict';
import test from 'node:test';
import { saidOf, wrongObjects } from '../../support/wrong-objects.ts';

for (const object of await wrongObjects('test/samples/wrong/istio')) {
  test(`refused: ${object.title}`, () => {
    assert.ok(object.expected.length > 0, 'an object in this folder is wrong: mark what is to be said of it');
    assert.deepEqual(saidOf(object), object.expected);
  });
}
