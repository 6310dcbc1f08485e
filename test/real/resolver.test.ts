import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { installResolver, removeResolver, showResolver } from '../../sidecar-vm/main.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { onEnd } from '../support/on-end.ts';
import { createNetwork, type Host, inNamespace } from './servers/index.ts';

const answerer = fileURLToPath(new URL('./resolver/answer.js', import.meta.url));

async function resolver(t: TestContext, { netns }: Host, who: 'agent' | 'network', address: string) {
  const [command, args] = inNamespace(netns, process.execPath, [answerer, who, address]);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  onEnd(t, end);
  await once(child.stdout, 'data');
  return end;
}

/** glibc's own answer, with `etc` in the place of /etc: an address, or undefined. */
function getent({ netns }: Host, etc: string, name: string): Promise<string | undefined> {
  const script = `mount --bind "${etc}" /etc && exec getent ahostsv4 "$0"`;
  const [command, args] = inNamespace(netns, 'unshare', ['--mount', '--', 'sh', '-c', script, name]);
  return new Promise((resolve) => execFile(command, args, { timeout: 20_000 }, (_error, out) => resolve(out.split(/\s+/)[0] || undefined)));
}

test('glibc finds the mesh by the agent, everything else as before, also without an agent; what was there comes back', async (t) => {
  const network = await createNetwork({ sites: { one: ['vm'] } });
  onEnd(t, () => network.remove());
  const vm = network.host('one', 'vm');
  const etc = join(await temporaryDir(t), 'etc');
  await mkdir(etc);
  await cp('/etc/nsswitch.conf', join(etc, 'nsswitch.conf')).catch(() => writeFile(join(etc, 'nsswitch.conf'), 'hosts: files dns\n'));
  const before = '# by hand\nsearch example.com\nnameserver 127.0.0.3\noptions rotate timeout:5\n';
  await writeFile(join(etc, 'resolv.conf'), before);
  await resolver(t, vm, 'network', '127.0.0.3');
  const endAgent = await resolver(t, vm, 'agent', '127.0.0.1');
  const orders = () => getent(vm, etc, 'orders.shop.mesh.internal');
  const www = () => getent(vm, etc, 'www.example.com');
  assert.deepEqual([await orders(), await www()], [undefined, '192.0.2.80'], 'as it was');

  const setup = { at: { address: '127.0.0.1', port: 53 }, zones: ['mesh.internal'] };
  for (const _ of ['once', 'again']) await installResolver(setup, etc);
  assert.deepEqual([await orders(), await www(), await getent(vm, etc, 'www')], ['127.64.0.7', '192.0.2.80', '192.0.2.80']);
  assert.equal((await showResolver(etc)).installed, true);

  await endAgent();
  assert.equal(await www(), '192.0.2.80', 'a dead agent stops nobody');
  assert.equal(await orders(), undefined);

  for (const _ of ['once', 'again']) await removeResolver(etc);
  assert.equal(await readFile(join(etc, 'resolv.conf'), 'utf8'), before);
  assert.equal((await showResolver(etc)).installed, false);

  await installResolver(setup, etc);
  await writeFile(join(etc, 'resolv.conf'), 'nameserver 192.0.2.1\n');
  await removeResolver(etc);
  assert.equal(await readFile(join(etc, 'resolv.conf'), 'utf8'), 'nameserver 192.0.2.1\n', 'what another program has written since stays');
});
