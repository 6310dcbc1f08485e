import assert from 'node:assert/strict';
import test from 'node:test';
import { saidOf, wrongObjects } from '../../support/wrong-objects.ts';

const folders = ['istio', 'gateway-api', 'own'];
const objects = (await Promise.all(folders.map((folder) => wrongObjects(`test/samples/wrong/${folder}`)))).flat();

for (const object of objects) {
  test(`refused: ${object.title}`, () => {
    assert.ok(object.expected.length > 0, 'an object in this folder is wrong: mark what is to be said of it');
    assert.deepEqual(saidOf(object), object.expected);
  });
}
