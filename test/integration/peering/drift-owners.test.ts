import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applied, look, route, shows } from '../../support/drift-scene.ts';
import { threeControls } from '../../support/joined-controls.ts';
import { until } from '../../support/until.ts';

test('what a cluster does not take is refused, with the reason at its owner; what two clusters have is reported by both; a cluster that is gone is unknown', async (t) => {
  const peer = 'apiVersion: isthmus.dev/v1alpha1\nkind: Peer\nmetadata: {name: west}\nspec: {cluster: west, namespaces: [shop]}\n';
  const { east, west, north } = await threeControls(t, peer);
  await applied(west, route('fits', '1s'), route('foreign', '1s', 'bank'));
  const refused = ['west foreign at north: refused'];
  const atOwner = await shows(west, 'drift', { pairs: ['west at north: drift', 'west at east: in-sync'], objects: refused });
  assert.match(atOwner.objects[0]?.why ?? '', /west may not bring objects of namespace bank here/);
  assert.match(atOwner.objects[0]?.next ?? '', /the namespaces of its Peer for west/);
  assert.equal((await shows(east, 'drift', { objects: refused })).objects[0]?.why, '');
  assert.match((await shows(north, 'drift', { objects: refused })).objects[0]?.why ?? '', /namespace bank/);

  // The files of east do not ask who else has the name.
  await east.write('fits.yaml', route('fits', '9s'));
  for (const control of [east, west, north]) {
    const { conflicts } = await until(`${control.cluster} reports both owners`, async () => {
      const { drift } = await look(control);
      return drift.conflicts.length === 1 ? drift : undefined;
    });
    const { since, next, ...conflict } = conflicts[0] ?? {};
    assert.ok(since !== null);
    assert.match(next ?? '', /delete it in east \(file\), or in west \(api\)/);
    const ref = { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'shop', name: 'fits' };
    assert.deepEqual(conflict, { ...ref, winner: { cluster: 'west', source: 'api' }, losers: [{ cluster: 'east', source: 'file' }] });
  }

  await north.kill();
  const gone = await shows(east, 'drift', {
    pairs: ['east at north: unknown', 'north at east: unknown', 'west at north: unknown'],
    objects: ['west foreign at north: unknown'],
  });
  assert.match(gone.pairs.find((p) => p.cluster === 'north')?.next ?? '', /see isthmus peer list for north/);
});
