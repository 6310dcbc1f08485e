import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflictsOf, connected, holds, joinedControls } from '../../support/joined-controls.ts';
import { written } from '../../support/object-scene.ts';
import type { RealControl } from '../../support/real-control.ts';

function route(name: string, timeout: string, scope = 'mesh'): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ${name}
  namespace: shop
  annotations: { isthmus.dev/scope: ${scope} }
spec:
  hosts: [${name}.example.org]
  http:
    - route: [{ destination: { host: ${name}.example.org } }]
      timeout: ${timeout}
`;
}

async function apply(control: RealControl, text: string) {
  return control.cli('apply', '-f', await written(control, 'applied.yaml', text));
}

async function applied(control: RealControl, text: string): Promise<void> {
  const result = await apply(control, text);
  assert.equal(result.code, 0, result.err);
}

test('what one cluster owns with scope mesh is in force in its peer: from the API and from files, over changes, deletes and restarts', async (t) => {
  const { east, west } = await joinedControls(t);
  await applied(east, route('one', '1s'));
  await applied(east, route('mine', '1s', 'cluster'));
  await east.write('two.yaml', route('two', '2s'));
  await applied(west, route('three', '3s'));
  const inEast = ['east/api mine', 'east/api one', 'east/file two', 'west/api three'];
  const inWest = ['east/api one', 'east/file two', 'west/api three'];
  await holds(east, inEast);
  await holds(west, inWest);

  const refused = await apply(west, route('one', '9s'));
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /belongs to cluster east \(api\): change it there/);

  // Silent: what was shared stays. And it is there at once when the holder comes back alone.
  await east.kill();
  await holds(west, inWest);
  await west.kill();
  await west.start();
  await holds(west, inWest);
  await east.start();
  await connected(west);
  await holds(east, inEast);
  await holds(west, inWest);

  // Deleted while nobody listens.
  await west.kill();
  const gone = await east.cli('delete', 'virtualservice', 'one', '-n', 'shop');
  assert.equal(gone.code, 0, gone.err);
  await west.start();
  await holds(west, ['east/file two', 'west/api three']);

  // No longer a peer: what it brought goes, and stays gone.
  assert.equal((await west.cli('peer', 'remove', 'east')).code, 0);
  await holds(west, ['west/api three']);
  await west.kill();
  await west.start();
  await holds(west, ['west/api three']);
  await holds(east, ['east/api mine', 'east/file two', 'west/api three']);
});

test('two clusters that own one name: the oldest is in force in both, and both say so', async (t) => {
  const { east, west } = await joinedControls(t);
  await west.stop();
  await applied(east, route('one', '1s'));
  await holds(east, ['east/api one']);
  // It cannot know of east's.
  await west.write('one.yaml', route('one', '2s'));
  await west.start();
  const both = ['east/api one', 'west/file one!'];
  await holds(east, both);
  await holds(west, both);
  for (const control of [east, west]) {
    assert.deepEqual(
      (await conflictsOf(control)).filter((c) => c.kind === 'ObjectConflict'),
      [
        {
          kind: 'ObjectConflict',
          subject: 'VirtualService shop/one',
          message: 'api in cluster east has the oldest, which is in force; not in force: file in cluster west',
        },
      ],
    );
  }
  assert.equal((await east.cli('delete', 'virtualservice', 'one', '-n', 'shop')).code, 0);
  await holds(east, ['west/file one']);
  await holds(west, ['west/file one']);
  assert.deepEqual(await conflictsOf(west), []);
});
