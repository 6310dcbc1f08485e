import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthorityStatus, FederationBundle } from '../../../core/admin/index.ts';
import { joinedControls } from '../../support/joined-controls.ts';
import type { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

const keysOf = async (control: RealControl) => (await control.get<AuthorityStatus>('/v1/ca')).jwtKeys;
const publishedBy = async (control: RealControl) => {
  const { document } = await control.get<FederationBundle>('/v1/federation/bundle');
  const { keys } = JSON.parse(document) as { keys: { use: string; kid?: string; d?: string }[] };
  assert.ok(keys.every((key) => key.d === undefined));
  return keys.filter(({ use }) => use === 'jwt-svid').map(({ kid }) => kid);
};

test('peers learn each other’s keys for JWT-SVIDs, keep them while one is away, and others are told of those alone that may speak for all', async (t) => {
  const { east, west } = await joinedControls(t);
  const ownOf = async (control: RealControl) => (await keysOf(control)).find(({ state }) => state === 'signs')?.keyId;
  const [eastern, western] = [await ownOf(east), await ownOf(west)];
  assert.ok(eastern !== undefined && western !== undefined && eastern !== western);
  const known = async (at: RealControl, cluster: string) => (await keysOf(at)).filter((key) => key.cluster === cluster);
  const [west1] = await until('west’s key in east', async () => {
    const keys = await known(east, 'west');
    return keys.length > 0 ? keys : undefined;
  });
  assert.deepEqual([west1?.keyId, west1?.state, west1?.namespaces], [western, 'peer', ['*']]);
  await until('east’s key in west', async () => (await known(west, 'east')).some(({ keyId }) => keyId === eastern));
  assert.deepEqual((await publishedBy(east)).sort(), [eastern, western].sort());
  await east.write(
    'west.yaml',
    'apiVersion: isthmus.dev/v1alpha1\nkind: Peer\nmetadata: { name: west }\nspec: { cluster: west, namespaces: [shop] }\n',
  );
  await until('the bound', async () => (await known(east, 'west'))[0]?.namespaces.join() === 'shop');
  assert.deepEqual(await publishedBy(east), [eastern]);
  const { out } = await east.cli('ca', 'status');
  assert.match(out, /JWTs of west .* for shop alone until/);
  assert.match(out, /signs JWTs /);
  await west.kill();
  await east.kill();
  await east.start();
  assert.deepEqual(
    (await known(east, 'west')).map(({ keyId }) => keyId),
    [western],
  );
  assert.equal(await ownOf(east), eastern);
  await east.cli('peer', 'remove', 'west');
  await until('no key of who is no peer', async () => (await known(east, 'west')).length === 0);
});
