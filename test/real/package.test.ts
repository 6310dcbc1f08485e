import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { InstanceList } from '../../core/admin/index.ts';
import type { AgentStatus } from '../../sidecar-vm/main.ts';
import { repositoryRoot } from '../support/deploy-files.ts';
import { readBlocks } from '../support/docs-blocks.ts';
import { until } from '../support/until.ts';
import { type BareMachine, startBareMachine } from './containers/bare-machine.ts';
import { assertNoneFailed, call, meshDns, onVm } from './scenario/calls.ts';
import { joinVm, startApp, startControl } from './scenario/isthmus-process.ts';
import { SteadyLoad } from './scenario/steady-load.ts';
import { createNetwork, endInReverse, type Host } from './servers/index.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const run = promisify(execFile);

const config = ({ address }: Host) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: package.test
  stateDir: "{state}"
  identity: {rootDir: "{root}"}
  grpc: {listen: "0.0.0.0:15012", advertise: ["${address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
`;

/** As `npm run package` makes them, hardly compressed. */
async function packages(t: TestContext): Promise<string> {
  const folder = await makeWorkFolder('packages');
  t.after(() => removeWorkFolder(folder));
  await run(process.execPath, [join(repositoryRoot, 'scripts/package.mjs'), '--fast', '--arch', 'x64', '--out', folder], {
    timeout: 300_000,
  });
  return folder;
}

/** The process that serves there, by what the supervisor said last. */
async function worker(machine: BareMachine): Promise<string> {
  return (await machine.sh(`sed -n 's/.*"pid":\\([0-9]*\\).*the worker serves.*/\\1/p' /run/isthmus-agent.log | tail -n 1`)).trim();
}

const stagesOf = (instance: InstanceList['instances'][number] | undefined) => instance?.stages.map(({ ok }) => ok).join(' ');

test('from a bare machine to a citizen of the mesh: one package, one command; upgrade, purge', {
  timeout: 600_000,
}, async (t) => {
  const ending = endInReverse(t);
  const folder = await packages(t);
  const [, install = '', purge = '', unpack = '', remove = '', ...more] = await readBlocks('docs/packages.md', 'sh');
  assert.deepEqual(more, [], 'a command of the page is not run here');
  const network = await createNetwork({ sites: { dc: ['control', 'vm', 'web'] } });
  ending(() => network.remove());
  const [hub, vm, web] = ['control', 'vm', 'web'].map((name) => network.host('dc', name)) as [Host, Host, Host];
  const control = await startControl(hub, config(hub), 'package.test');
  ending(() => control.process.stop());
  const shop = await startApp(web, 'web', '127.0.0.1', 8080);
  ending(() => shop.stop());
  const caller = await joinVm(web, control, { service: 'shop/web', port: 80, appPort: 8080 });
  ending(() => caller.stop());
  const machine = await startBareMachine(vm.netns, folder);
  ending(() => machine.remove());
  let app = await startApp(vm, 'orders', '127.0.0.1', 8080);
  ending(() => app.stop());
  const asks = () => call(web, onVm, meshDns('orders'));

  const orders = async () => {
    const { instances } = JSON.parse(await control.run('vm', 'list', '--output', 'json')) as InstanceList;
    return instances.find(({ services }) => services.includes('shop/orders'));
  };

  await t.test('the package needs nothing that is not there, and makes its user', async () => {
    assert.equal(await machine.sh('command -v node || true'), '', 'a machine without Node');
    await machine.sh(install);
    assert.match(await machine.sh('isthmus version'), /node 24\./);
    assert.match(await machine.sh('id isthmus'), /uid=\d+\(isthmus\)/);
  });

  await t.test('one command joins, and returns when it serves', async () => {
    const token = await control.run('vm', 'token', '--service', 'shop/orders', '--port', '80');
    const said = await machine.sh(`isthmus vm join - --app-port 8080 --health http:/healthz`, token);
    assert.match(said, /is in the mesh, and will be after a reboot/);
    assert.match(
      await machine.sh('stat -c "%a %U" /var/lib/isthmus-agent /var/lib/isthmus-agent/agent.json'),
      /^700 isthmus\n600 isthmus\n$/,
    );
    assert.equal((await until('orders answers', asks)).app, 'orders');
  });

  const { found } = await until('its address', asks);
  // What it has never looked up, it does not know after a reboot alone.
  await until('web answers', () => call(vm, onVm, meshDns('web')));
  const load = new SteadyLoad(web.reach, { url: `http://${found}/load` });

  await t.test('an upgrade hands over, and no request fails', async () => {
    const before = await worker(machine);
    await machine.sh(install);
    await until('the new version serves', async () => (await worker(machine)) !== before);
    const since = performance.now();
    await until('answers through it', () => load.lastAnswerOf('orders', since) !== undefined);
    await load.stop();
    assertNoneFailed(load);
  });

  await t.test('with the control plane gone it reboots, and serves and calls from what is on disk', async () => {
    await control.process.kill9();
    await machine.powerOff();
    await app.stop();
    await network.reboot(vm);
    app = await startApp(vm, 'orders', '127.0.0.1', 8080);
    await machine.sh('test -e /etc/systemd/system/isthmus-agent.enabled && systemctl restart isthmus-agent');
    assert.equal((await until('orders answers', asks, 60_000)).app, 'orders');
    assert.equal((await until('orders calls', () => call(vm, onVm, meshDns('web')), 60_000)).app, 'web');
    await control.process.restart();
    await until('every stage', async () => stagesOf(await orders()) === 'yes yes yes yes yes');
    assert.equal((await asks()).app, 'orders');
    await until('its callers to hear of changes again', async () => {
      const { body } = await web.reach.request({ url: 'http://127.0.0.1:15021/v1/agent' });
      return (JSON.parse(body) as AgentStatus).data.connected;
    });
  });

  await t.test('its address changes, as with a new DHCP lease: callers follow it, and it goes on calling', async () => {
    const address = await network.readdress(vm);
    await until('callers to follow', asks, 60_000);
    await until('orders calls', () => call(vm, onVm, meshDns('web')), 60_000);
    const moved = await until('every stage', async () => {
      const found = await orders();
      return stagesOf(found) === 'yes yes yes yes yes' ? found : undefined;
    });
    assert.deepEqual(moved.addresses, [address]);
  });

  await t.test('root takes it out of the mesh, and callers have none left', async () => {
    assert.match(await control.run('vm', 'list'), /shop\/orders/);
    assert.match(await machine.sh('isthmus vm leave'), /has left the mesh/);
    assert.doesNotMatch(await control.run('vm', 'list'), /shop\/orders/);
  });

  await t.test('it is purged, and takes everything along', async () => {
    await machine.sh(purge);
    assert.equal(await machine.sh('ls -d /opt/isthmus /var/lib/isthmus-agent /usr/bin/isthmus 2>/dev/null || true'), '');
  });

  await t.test('the archive installs and removes by itself, where there are no packages', async () => {
    await machine.sh(unpack);
    assert.match(await machine.sh('isthmus version'), /node 24\./);
    await machine.sh(remove);
    assert.equal(await machine.sh('command -v isthmus || true'), '');
  });
});
