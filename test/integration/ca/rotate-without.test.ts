import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuthorityStatus, PeerList, RotationStatus } from '../../../core/admin/index.ts';
import { threeControls } from '../../support/joined-controls.ts';
import { json } from '../../support/object-scene.ts';
import type { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

const authority = (control: RealControl) => control.get<AuthorityStatus>('/v1/ca');
const roots = async (control: RealControl) =>
  (await authority(control)).certificates.filter((c) => c.kind === 'root').map((c) => c.fingerprint);

function rotationOf(control: RealControl, what: string, so: (rotation: RotationStatus) => boolean): Promise<RotationStatus> {
  return until(
    `the rotation is ${what}`,
    async () => {
      const { rotation } = await authority(control);
      assert.ok(rotation !== null && so(rotation), JSON.stringify(rotation));
      return rotation;
    },
    60_000,
  );
}

test('a rotation over three clusters goes on without one that is lost, once it is named, and that one joins anew', async (t) => {
  const { east, west, north } = await threeControls(t);
  const [old = ''] = await roots(east);
  await north.kill();
  await until('north is missed', async () => {
    const { peers } = await east.get<PeerList>('/v1/peers');
    return peers.some(({ cluster, state }) => cluster === 'north' && state !== 'connected');
  });

  json(await east.cli('ca', 'rotate', 'start', '--output', 'json'));
  const waiting = await rotationOf(east, 'waiting for north alone', ({ phase, missing }) => {
    return phase === 'distribute' && missing.length === 1;
  });
  const [lost] = waiting.missing;
  assert.deepEqual([lost?.cluster, lost?.name, lost?.offline], ['north', 'north', true]);
  assert.match((await east.cli('ca', 'rotate', 'status')).out, /north \(offline\): is not connected[\s\S]*--without NAME/);
  assert.deepEqual(await roots(west).then((all) => all.length), 2, 'it holds the old root as well, for as long as that');

  const told = json<RotationStatus>(await east.cli('ca', 'rotate', 'continue', '--without', 'north', '--output', 'json'));
  assert.deepEqual(told.without, ['north']);
  const done = await rotationOf(east, 'done', ({ phase }) => phase === 'done');
  assert.equal(done.from, old);
  for (const control of [east, west]) assert.deepEqual(await roots(control), [done.to], control.cluster);

  // Its old root counts nowhere any more, and it believes nobody else's: an invitation alone does not bring it back, and says what does.
  await north.start();
  const invite = async () => json<{ token: string }>(await east.cli('peer', 'invite', '--output', 'json')).token;
  const refused = await north.cli('peer', 'join', await invite());
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /left out of a rotation.*docs\/rotate-roots\.md/);
  assert.deepEqual(await roots(north), [old]);
  await north.stop();
  await rename(join(north.dir, 'state', 'ca'), join(north.dir, 'retired-ca'));
  for (const control of [east, west]) json(await control.cli('peer', 'remove', 'north', '--output', 'json'));
  await north.start();
  json(await north.cli('peer', 'join', await invite(), '--output', 'json'));
  await until('north is connected with east', async () => {
    const { peers } = await north.get<PeerList>('/v1/peers');
    return peers.some(({ cluster, state }) => cluster === 'east' && state === 'connected');
  });
  assert.deepEqual(await roots(north), [done.to]);
  assert.equal((await authority(north)).certificates.find(({ kind }) => kind === 'intermediate')?.root, done.to);
});
