import assert from 'node:assert/strict';
import test from 'node:test';
import { saidOf, wrongObjects } from '../../support/wrong-objects.ts';

const objects = [...(await wrongObjects('test/samples/wrong/istio')), ...(await wrongObjects('test/samples/wrong/gateway-api'))];

for (const object of objects) {
  test(`refused: ${object.title}`, () => {
    assert.ok(object.expected.length > 0, 'an object in this folder is wrong: mark what is to be said of it');
    assert.deepEqual(saidOf(object), object.expected);
  });
}
