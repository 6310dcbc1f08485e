import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MigrationReplica, MigrationWorld, quickSpec } from '../../support/migration-plane.ts';
import { until } from '../../support/until.ts';

test('what happens to one migration is no reason to look at all that are only reserved', async (t) => {
  const world = await MigrationWorld.open(t);
  const looks = new Map<string, number>();
  const a = MigrationReplica.start(t, world, 'a', {
    places: ({ name }) => {
      looks.set(name, (looks.get(name) ?? 0) + 1);
      return { from: world.from, to: world.to };
    },
  });
  const others = Array.from({ length: 50 }, (_, i) => `other-${i}`);
  for (const name of others) world.apply(`shop/${name}`, quickSpec({ service: name }));
  world.apply('shop/reviews', quickSpec());
  const written = async () => (await world.store.list('migrations/state/')).entries.length;
  await until('all are reserved and looked at', async () => (await written()) === 51 && looks.size === 51, 30_000);
  await a.migrations.command('shop', 'reviews', { type: 'start', by: 'ann' });
  await until('it is done', async () => (await a.phase('shop/reviews')) === 'done', 30_000);
  // Each is looked at when it was written, and may be once more when that is heard of.
  for (const name of others) assert.ok((looks.get(name) ?? 0) <= 4, `${name} was looked at ${looks.get(name)} times`);
  assert.ok((looks.get('reviews') ?? 0) > 4);
});
