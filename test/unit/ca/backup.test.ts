import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  Authority,
  caInit,
  collectArchive,
  decodeArchive,
  deniedIn,
  encodeArchive,
  loadRoots,
  restoreArchive,
  seal,
  unseal,
} from '../../../control/ca/index.ts';
import { makeStatement } from '../../../control/ca/rotation/statement.ts';
import { silentLog } from '../../../core/log.ts';
import { fingerprintOf, generateKey, issueRoot } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { until } from '../../support/until.ts';

const passphrase = 'correct horse battery staple';
const header = { trustDomain: 'mesh.test', cluster: 'east', createdAt: '2026-11-22T00:00:00.000Z' };

async function authorityIn(dir: string): Promise<Authority> {
  const online = await loadRoots(join(dir, 'root'), 'mesh.test');
  const options = { cluster: 'east', trustDomain: 'mesh.test', intermediateTtlMs: 86_400_000, clock: systemClock, log: silentLog };
  return Authority.open({ dir: join(dir, 'ca'), online, ...options });
}

async function cluster(t: TestContext): Promise<{ dir: string; authority: Authority }> {
  const dir = await temporaryDir(t);
  await caInit(join(dir, 'root'), 'mesh.test', Date.now());
  return { dir, authority: await authorityIn(dir) };
}

const archiveOf = (dir: string) => collectArchive(join(dir, 'ca'), join(dir, 'root'));
const putBack = (archive: Awaited<ReturnType<typeof archiveOf>>, dir: string) =>
  restoreArchive(archive, join(dir, 'ca'), join(dir, 'root'));

test('what was sealed comes back, and nothing of it can be read without the passphrase', async (t) => {
  const { dir, authority } = await cluster(t);
  await authority.setDenied(['0badcafe', '0a']);
  await until('denied serials are on disk', async () => (await readdir(join(dir, 'ca'))).includes('denied.json'));
  const text = await seal(encodeArchive(await archiveOf(dir)), header, passphrase);
  for (const secret of ['PRIVATE KEY', 'CERTIFICATE', passphrase]) assert.ok(!text.includes(secret), `${secret} shows`);
  const { header: read, content } = await unseal(text, passphrase);
  assert.equal(read.cluster, 'east');
  const archive = decodeArchive(content);
  assert.deepEqual(deniedIn(archive), ['0a', '0badcafe']);
  const before = authority.intermediate?.serial;
  for (const lost of ['ca', 'root']) await rm(join(dir, lost), { recursive: true });
  await putBack(archive, dir);
  await putBack(archive, dir);
  for (const folder of ['ca', 'root'])
    for (const name of await readdir(join(dir, folder))) assert.equal((await stat(join(dir, folder, name))).mode & 0o777, 0o600, name);
  assert.equal((await authorityIn(dir)).intermediate?.serial, before);
  await assert.rejects(seal(content, header, 'too short'), /shorter than 12/);
});

test('a file that was cut, changed or sealed with another passphrase is refused', async () => {
  const text = await seal(Buffer.from('{"authority":{},"root":{}}'), header, passphrase);
  const damaged: Record<string, string> = {
    cut: text.slice(0, -40),
    headless: text.slice(text.indexOf('\n') + 1),
    'header alone': text.slice(0, text.indexOf('\n') + 1),
    'another cluster': text.replace('"cluster":"east"', '"cluster":"west"'),
    'a cheap key': text.replace('"N":131072', '"N":2'),
    'a dear key': text.replace('"N":131072', '"N":1073741824'),
    'another cipher': text.replace('aes-256-gcm', 'aes-256-ctr'),
    'a version of the future': text.replace('"version":1', '"version":2'),
    'a byte changed': text.replace(/(.)(.{8}\n)$/, (_all, byte: string, rest: string) => `${byte === 'A' ? 'B' : 'A'}${rest}`),
    empty: '',
    nonsense: 'null\n',
  };
  await unseal(text, passphrase);
  await assert.rejects(unseal(text, 'incorrect horse battery'), /passphrase is another one/);
  for (const [name, each] of Object.entries(damaged)) await assert.rejects(unseal(each, passphrase), /was changed|version 1/, name);
  const strange = Buffer.from(JSON.stringify({ authority: { '../../etc/passwd': '' }, root: {} }));
  assert.throws(() => decodeArchive(strange), /no authority has/);
});

test('it is restored onto an empty state or its own, never onto another root, and never brings a retired one back', async (t) => {
  const east = await cluster(t);
  const other = await cluster(t);
  const archive = await archiveOf(east.dir);
  await assert.rejects(putBack(archive, other.dir), /belongs to another root/);
  await rm(join(other.dir, 'ca'), { recursive: true });
  await assert.rejects(putBack(archive, other.dir), /never overwritten/);
  const [root] = east.authority.online;
  assert.ok(root !== undefined);
  const key = generateKey();
  const next = issueRoot(key, 'mesh.test', Date.now(), 86_400_000);
  const said = {
    trustDomain: 'mesh.test',
    version: 1,
    rotation: 'r',
    phase: 'distribute' as const,
    force: false,
    without: [],
    madeAt: Date.now(),
  };
  const roots = [root.certificate, next];
  const { signed } = makeStatement({ ...said, roots, signing: fingerprintOf(root.certificate) }, root);
  assert.deepEqual(await east.authority.believe([signed]), []);
  await assert.rejects(putBack(archive, east.dir), /would count again/);
  await writeFile(join(east.dir, 'ca', 'stray.txt'), 'left alone');
  assert.equal((await archiveOf(east.dir)).authority['stray.txt'], undefined);
  assert.equal(await readFile(join(east.dir, 'ca', 'stray.txt'), 'utf8'), 'left alone');
});
