import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Authority, caInit, signIntermediate } from '../../../control/ca/index.ts';
import { silentLog } from '../../../core/log.ts';
import { generateKey, isSerialOf, spkiOf, verifySvid } from '../../../core/pki/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const trustDomain = 'mesh.test';
const day = 86_400_000;

async function site(t: TestContext) {
  const clock = new ManualClock();
  const root = await caInit(`${await temporaryDir(t)}/root`, trustDomain, clock.now());
  const open = async (cluster: string) => {
    const dir = await temporaryDir(t);
    const common = { dir, cluster, trustDomain, intermediateTtlMs: 90 * day, clock, log: silentLog };
    const authority = await Authority.open(common);
    const signed = signIntermediate(root, await authority.intermediateCsr(), cluster, clock.now(), 90 * day);
    await authority.installIntermediate(signed.der, [root.certificate.der]);
    return authority;
  };
  return { clock, east: await open('east'), west: await open('west') };
}

test('a peer takes back what it issued, everywhere; what others issued it cannot', async (t) => {
  const { clock, east, west } = await site(t);
  const id = { trustDomain, namespace: 'shop', serviceAccount: 'web' };
  const theirs = west.issueSvid(spkiOf(generateKey()), id, day / 24);
  const ours = east.issueSvid(spkiOf(generateKey()), id, day / 24);
  assert.ok(isSerialOf(theirs.leaf.serial, 'west') && !isSerialOf(theirs.leaf.serial, 'east'));
  const anchors = { intermediates: [west.intermediate?.der ?? Buffer.alloc(0)] };
  assert.deepEqual(east.setPeer('west', { ...anchors, denied: [theirs.leaf.serial] }), []);
  const verdict = verifySvid(theirs.chain, east.bundle(), clock.now());
  assert.deepEqual(verdict, { ok: false, reason: `serial ${theirs.leaf.serial} is denied` });
  const faults = east.setPeer('west', { ...anchors, denied: [theirs.leaf.serial, ours.leaf.serial, 'ff'] });
  assert.match(faults.join(), /cannot have issued/);
  assert.deepEqual(east.bundle().deniedSerials, [theirs.leaf.serial]);
  assert.ok(verifySvid(ours.chain, east.bundle(), clock.now()).ok);
  await east.setDenied([ours.leaf.serial]);
  assert.deepEqual(east.bundle().deniedSerials, [ours.leaf.serial, theirs.leaf.serial].sort());
  assert.deepEqual(east.denied, [ours.leaf.serial], 'and passes on no more than its own');
  east.setPeer('west', anchors);
  assert.deepEqual(east.bundle().deniedSerials, [ours.leaf.serial]);
});
