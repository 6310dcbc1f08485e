import assert from 'node:assert/strict';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuthorityStatus } from '../../../core/admin/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { json } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';

test('a backup that was taken while the control plane ran brings its authority back after all of it was lost', async (t) => {
  const dir = await temporaryDir(t);
  const grpc = { listen: '127.0.0.1:0', advertise: ['127.0.0.1:15012'] };
  const control = await RealControl.make(join(dir, 'east'), 'east', '', { grpc });
  onEnd(t, () => control.stop());
  await control.start();
  for (const wrong of [['isthmus-system/control'], ['isthmus-system/orders', '--service-account', 'control']]) {
    const { code, err } = await control.cli('vm', 'token', ...wrong, '--port', '80');
    assert.deepEqual([code, /identity of control planes/.test(err)], [2, true], err);
  }
  json(await control.cli('vm', 'token', 'shop/orders', '--port', '80', '--output', 'json'));
  const before = await control.get<AuthorityStatus>('/v1/ca');
  await writeFile(join(dir, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  const file = join(dir, 'ca.backup');
  const flags = ['-c', control.config, '--passphrase-file', join(dir, 'passphrase'), file];
  const made = await control.cli('ca', 'backup', ...flags);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /with the key of the root/);
  const first = await readFile(file);
  const again = await control.cli('ca', 'backup', ...flags);
  assert.deepEqual([again.code, /ca\.backup exists.*--force/.test(again.err)], [1, true], again.err);
  assert.deepEqual(await readFile(file), first);
  assert.equal((await control.cli('ca', 'backup', '--force', ...flags)).code, 0);
  assert.notDeepEqual(await readFile(file), first);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.notEqual((await control.cli('ca', 'restore', ...flags)).code, 0, 'not under a control plane that runs');
  await control.stop();
  for (const lost of ['state/ca', 'root']) await rm(join(control.dir, lost), { recursive: true });
  const restored = json<{ voided: number; root: boolean }>(await control.cli('ca', 'restore', ...flags, '--output', 'json'));
  assert.deepEqual([restored.voided, restored.root], [1, true]);
  await control.start();
  const after = await control.get<AuthorityStatus>('/v1/ca');
  const fingerprints = (status: AuthorityStatus) => status.certificates.map((each) => each.fingerprint);
  assert.deepEqual(fingerprints(after), fingerprints(before));
  assert.equal(after.ready, true);
});
