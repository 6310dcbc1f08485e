import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Drift, Status } from '../../../core/admin/index.ts';
import { applied, look, route, shows } from '../../support/drift-scene.ts';
import { threeControls } from '../../support/joined-controls.ts';
import type { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

async function metric(control: RealControl, line: string): Promise<void> {
  await until(line, async () => (await control.metrics()).includes(line));
}

test('a link is cut and objects change meanwhile: the third cluster names who lags, misses and holds what is gone; who cannot be asked is unknown; healed, all is in sync', async (t) => {
  const { east, west, north, link } = await threeControls(t);
  await applied(west, route('stays', '1s'), route('changes', '1s'), route('goes', '1s'));
  const everything = ['east', 'west', 'north'].flatMap((owner) =>
    ['east', 'west', 'north'].flatMap((at) => (owner === at ? [] : [`${owner} at ${at}: in-sync`])),
  );
  for (const control of [east, west, north]) await shows(control, 'in-sync', { pairs: everything, objects: [] });
  assert.equal((await look(east)).drift.pairs.find((p) => p.owner === 'west' && p.cluster === 'north')?.objects, 3);
  assert.match((await east.cli('status')).out, /^objects: clusters hold what their owners have$/m);
  assert.equal((await east.cli('drift')).code, 0);
  const all = (await east.get<Drift>('/v1/drift?all=true')).objects;
  assert.deepEqual(
    [...new Set(all.map((o) => `${o.owner.cluster} at ${o.cluster}: ${o.state}`))],
    ['west at east: in-sync', 'west at north: in-sync'],
  );
  assert.equal(all.length, 6);
  assert.ok(all.every((o) => o.digest !== null && o.digest === o.held && o.since === null));

  link.goSilent(true);
  link.cut();
  await shows(west, 'unknown', { pairs: ['west at north: unknown', 'north at west: unknown', 'west at east: in-sync'], objects: [] });
  await shows(north, 'unknown', { pairs: ['west at north: unknown', 'east at north: in-sync'], objects: [] });
  assert.equal((await west.cli('drift')).code, 3);
  await applied(west, route('changes', '2s'), route('comes', '1s'));
  assert.equal((await west.cli('delete', 'vs', 'shop/goes')).code, 0);

  const differs = ['west changes at north: lags', 'west comes at north: missing', 'west goes at north: extra'];
  const seen = await shows(east, 'drift', {
    pairs: ['west at north: drift', 'west at east: in-sync', 'east at north: in-sync'],
    objects: differs,
  });
  const [lags] = seen.objects;
  assert.ok(lags !== undefined && lags.digest !== null && lags.held !== null && lags.digest !== lags.held);
  assert.ok(lags.since !== null && Date.parse(lags.since) <= Date.parse(seen.time));
  assert.match(lags.next, /see isthmus peer list there/);
  // North hears of it from east, though it does not hear west.
  await shows(north, 'drift', { pairs: ['west at north: drift'], objects: differs });
  // West knows what north held, and not what it holds.
  await shows(west, 'unknown', { pairs: ['west at north: unknown'], objects: differs.map((d) => d.replace(/: .*/, ': unknown')) });
  assert.equal((await east.get<Status>('/v1/status')).drift?.differing, 3);
  assert.match((await east.cli('status')).out, /^objects: 3 objects differ from what the owner has; see isthmus drift$/m);
  await metric(east, 'isthmus_shared_objects{owner="west",holder="north",state="lags",isthmus_cluster="east"} 1');
  const text = await east.cli('drift');
  assert.equal(text.code, 5);
  assert.match(text.out, /^VirtualService shop\/changes +west\/api +\S{12} +north +lags +\S{12} /m);
  assert.match(text.err, /3 objects differ from what the owner has/);

  link.goSilent(false);
  link.cut();
  for (const control of [east, west, north]) await shows(control, 'in-sync', { pairs: everything, objects: [] });
  await metric(east, 'isthmus_shared_objects{owner="west",holder="north",state="in-sync",isthmus_cluster="east"} 3');
});
