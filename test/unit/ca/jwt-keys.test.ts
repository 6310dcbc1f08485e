import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { collectArchive, JwtKeyRing, PeerJwtKeys, restoreArchive } from '../../../control/ca/index.ts';
import { SignPace } from '../../../control/ca/jwt/sign-pace.ts';
import { keyIdOf } from '../../../core/jwt/index.ts';
import { silentLog } from '../../../core/log.ts';
import { generateKey, spkiOf } from '../../../core/pki/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const hour = 3_600_000;

async function ring(dir: string, clock: ManualClock, cluster = 'east'): Promise<JwtKeyRing> {
  return JwtKeyRing.open({ dir, cluster, clock, log: silentLog });
}

test('a key is published before it signs, signs after its predecessor is past five sixths, and stays until its tokens have ended', async (t) => {
  const dir = await temporaryDir(t);
  const clock = new ManualClock();
  let keys = await ring(dir, clock);
  const first = keys.signing();
  assert.ok(first !== undefined);
  assert.equal(first.notAfter, clock.now() + 48 * hour);
  let changes = 0;
  const follow = () =>
    keys.subscribe(() => {
      changes += 1;
    });
  follow();
  const published = () => keys.published().map(({ keyId }) => keyId);
  const seen: string[] = [];
  for (let at = 0; at < 200; at++) {
    clock.advance(hour);
    // A restart at any moment changes nothing.
    if (at === 100) keys = await ring(dir, clock);
    else await keys.maintain();
    if (at === 100) follow();
    const signs = keys.signing();
    assert.ok(signs !== undefined && published().includes(signs.keyId), `at ${at} h what signs is published`);
    assert.ok(signs.notAfter - clock.now() >= 7 * hour, 'a token of the longest life always fits');
    if (seen.at(-1) !== signs.keyId) {
      seen.push(signs.keyId);
      const key = keys.published().find(({ keyId }) => keyId === signs.keyId);
      if (at > 0) assert.ok(clock.now() - ((key?.notAfterMs ?? 0) - 48 * hour) >= hour, 'it was published an hour before');
    }
    assert.ok(keys.published().length <= 3);
    assert.deepEqual(
      keys.states().map(({ state }) => state),
      keys.states().map(({ keyId }, i, all) => {
        const current = all.findIndex((each) => each.keyId === signs.keyId);
        return keyId === signs.keyId ? 'signs' : i > current ? 'next' : 'previous';
      }),
    );
  }
  assert.ok(seen.length >= 5, `${seen.length} keys have signed`);
  assert.equal(new Set(seen).size, seen.length, 'no key signs again');
  assert.ok(!published().includes(first.keyId));
  assert.ok(changes >= seen.length, 'and each change was said');
});

test('after an absence longer than its keys a control plane signs at once by a new one', async (t) => {
  const dir = await temporaryDir(t);
  const clock = new ManualClock();
  const before = (await ring(dir, clock)).signing()?.keyId;
  clock.advance(49 * hour);
  const keys = await ring(dir, clock);
  assert.notEqual(keys.signing()?.keyId, before);
  assert.equal(keys.published().length, 1);
});

test('a key made by a clock that was ahead is followed by one of now', async (t) => {
  const dir = await temporaryDir(t);
  const clock = new ManualClock();
  const ahead = new ManualClock(clock.now() + 365 * 24 * hour);
  await ring(dir, ahead);
  const keys = await ring(dir, clock);
  assert.ok(keys.published().some(({ notAfterMs }) => notAfterMs === clock.now() + 48 * hour));
});

test('keys are for their owner alone, are backed up, come back, and show in no error', async (t) => {
  const dir = await temporaryDir(t);
  const clock = new ManualClock();
  const before = (await ring(dir, clock)).signing()?.keyId;
  const path = join(dir, 'jwt-keys.json');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const text = await readFile(path, 'utf8');
  await writeFile(join(dir, 'intermediate.pem'), 'stands in', { mode: 0o600 });
  const archive = await collectArchive(dir, undefined);
  assert.equal(archive.authority['jwt-keys.json'], text);
  await writeFile(path, text.slice(0, -20), { mode: 0o600 });
  await assert.rejects(ring(dir, clock), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'IDENTITY_INVALID');
    assert.match(error.message, /jwt-keys\.json is unreadable: restore it/);
    assert.ok(!`${error.message}${String(error.cause)}`.includes(text.slice(20, 60)));
    return true;
  });
  const other = join(await temporaryDir(t), 'ca');
  await restoreArchive(archive, other, undefined);
  assert.equal((await ring(other, clock)).signing()?.keyId, before);
});

test('of peers counts what each says of its own keys, for whom it may speak, over restarts, until it is no peer', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const open = () => PeerJwtKeys.open({ cluster: 'east', store, clock, log: silentLog });
  const peers = await open();
  let changes = 0;
  peers.subscribe(() => {
    changes += 1;
  });
  const offered = (key = generateKey(), more = {}) => {
    const publicKey = spkiOf(key);
    return { keyId: keyIdOf(publicKey) ?? '', publicKey, notAfterMs: clock.now() + hour, ...more };
  };
  const [west, north] = [offered(), offered()];
  assert.deepEqual(peers.set('west', [west]), []);
  assert.deepEqual(peers.set('west', [{ ...west }]), []);
  assert.equal(changes, 1, 'the same again is no change');
  assert.match(peers.set('east', [offered()]).join(), /cannot speak for this cluster/);
  const faults = peers.set('north', [
    north,
    { ...offered(), keyId: west.keyId },
    { ...offered(), publicKey: Buffer.from('no key') },
    offered(generateKey(), { notAfterMs: 0 }),
  ]);
  assert.deepEqual(
    faults.map((fault) => /thumbprint|P-256|no end/.exec(fault)?.[0]),
    ['thumbprint', 'P-256', 'no end'],
  );
  const all = (of: PeerJwtKeys) => of.keys((cluster) => (cluster === 'north' ? ['shop'] : cluster === 'west' ? ['*'] : []));
  const expected = [
    { ...north, cluster: 'north', namespaces: ['shop'] },
    { ...west, cluster: 'west', namespaces: ['*'] },
  ];
  assert.deepEqual(all(peers), expected);
  assert.deepEqual(
    peers.keys(() => []),
    [],
    'none of whom is no peer',
  );
  await peers.written();
  const again = await open();
  assert.deepEqual(all(again), expected);
  const many = again.set(
    'north',
    Array.from({ length: 9 }, () => offered()),
  );
  assert.match(many.join(), /more than 8/);
  assert.equal(all(again).length, 9);
  again.set('north', undefined);
  again.set('west', []);
  await again.written();
  assert.deepEqual(all(await open()), []);
  again.set('west', [west]);
  clock.advance(hour);
  assert.deepEqual(all(again), [], 'what has ended verifies nothing');
});

test('who asks too often waits, and nobody else does', () => {
  const clock = new ManualClock();
  const pace = new SignPace(clock);
  const taken = (caller: string, times: number) => Array.from({ length: times }, () => pace.take(caller)).filter(Boolean).length;
  assert.equal(taken('one', 100), 64);
  assert.equal(taken('two', 10), 10);
  clock.advance(1_000);
  assert.equal(taken('one', 100), 8);
  clock.advance(60_000);
  assert.equal(taken('one', 100), 64);
});
