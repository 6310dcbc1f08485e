import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { installResolver, planResolver, removeResolver, showResolver } from '../../../sidecar-vm/main.ts';
import { resolvConf, resolvedDropIn } from '../../../sidecar-vm/resolver/files.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const at = { address: '127.0.0.1', port: 15_053 };
const zones = ['mesh.internal', 'svc.clusterset.local'];

test('resolv.conf: the agent first, then those of before as far as three are asked; options that would break that are not kept', () => {
  const before =
    'search corp.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\noptions rotate edns0 timeout:9\nsortlist 10.0.0.0\n';
  const made = resolvConf(before, '127.0.0.1').split('\n').slice(1);
  assert.deepEqual(made, [
    'search corp.example',
    'sortlist 10.0.0.0',
    'nameserver 127.0.0.1',
    'nameserver 10.0.0.1',
    'nameserver 10.0.0.2',
    'options edns0 timeout:1',
    '',
  ]);
  assert.equal(resolvConf(resolvConf(before, '127.0.0.1'), '127.0.0.1'), resolvConf(before, '127.0.0.1'), 'of itself it makes itself');
});

test('systemd-resolved is told of the zones alone, in a file of our own', async (t) => {
  assert.match(resolvedDropIn(at, zones), /\n\[Resolve\]\nDNS=127\.0\.0\.1:15053\nDomains=~mesh\.internal ~svc\.clusterset\.local\n$/);
  const etc = await temporaryDir(t);
  await symlink('../run/systemd/resolve/stub-resolv.conf', join(etc, 'resolv.conf'));
  assert.deepEqual((await installResolver({ at, zones }, etc)).mode, 'resolved');
  assert.match(await readFile(join(etc, 'systemd/resolved.conf.d/isthmus.conf'), 'utf8'), /Domains=~mesh\.internal/);
  await removeResolver(etc);
  assert.deepEqual([(await showResolver(etc)).installed, (await showResolver(etc)).mode], [false, 'resolved']);
  await assert.rejects(planResolver({ at, zones, mode: 'resolv-conf' }, etc), /is a link to .*stub-resolv\.conf/);
});

test('resolv.conf knows no ports', async (t) => {
  const etc = await temporaryDir(t);
  await mkdir(join(etc, 'systemd'));
  await writeFile(join(etc, 'resolv.conf'), 'nameserver 10.0.0.1\n');
  await assert.rejects(planResolver({ at, zones }, etc), /vm join again with --dns 127\.0\.0\.1:53/);
});
