import assert from 'node:assert/strict';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDir } from '../support/control-plane.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { isthmus, type Program, run, startAgent, startCaptureControl, startProgram, statusOf } from './capture/scene.ts';
import { createNetwork, type Host } from './servers/index.ts';

const port = { service: 8080, inbound: 15_006, app: 9_090, webAdmin: 15_021, capture: 15_001 };
const nobody = 65_534;
const backup = 4_242;
/** Leads nowhere in this network: only the mesh gives it a meaning. */
const legacy = '198.18.77.7';

/** Answers with a word of its own and what it was asked, on every address. */
const answering = (word: string, on: number) =>
  `require("http").createServer((q,s)=>s.end("${word} "+q.socket.remoteAddress)).listen(${on},"0.0.0.0")`;

async function scene(t: TestContext) {
  const network = await createNetwork({ sites: { one: ['vm', 'other'] } });
  onEnd(t, () => network.remove());
  const [vm, other] = [network.host('one', 'vm'), network.host('one', 'other')];
  const node = (host: Host, code: string, uid?: number) => {
    const program = startProgram(host, process.execPath, ['-e', code], uid);
    onEnd(t, () => program.kill9());
    return program;
  };
  node(other, answering('other', 80));
  node(other, answering('ssh', 22));
  node(vm, answering('orders', port.app));
  // In the way of orders' port on every address of the machine.
  node(vm, answering('wildcard', port.service));
  const control = await startCaptureControl(vm, { servicePort: port.service, inboundPort: port.inbound });
  onEnd(t, () => control.stop());
  const dir = await temporaryDir(t);
  const services = [{ namespace: 'shop', name: 'orders', port: port.service, appPort: port.app }];
  const inbound = { address: '0.0.0.0', port: port.inbound };
  const orders = startAgent(vm, { stateDir: join(dir, 'orders'), token: control.tokens.orders, instance: 'vm-orders', services, inbound });
  onEnd(t, () => orders.kill9());
  const stateDir = await temporaryDir(t);
  await chown(stateDir, nobody, nobody);
  const options = {
    stateDir,
    token: control.tokens.web,
    instance: 'vm-web',
    discovery: 'all',
    outbound: {},
    capture: { addresses: { 'orders.shop.mesh.internal': [legacy] } },
    admin: { address: '127.0.0.1', port: port.webAdmin },
  };
  const startWeb = () => {
    const web = startAgent(vm, options, nobody);
    onEnd(t, () => web.kill9());
    return web;
  };
  return { vm, other, stateDir, rulesFile: join(dir, 'capture.nft'), startWeb };
}

/** With no privilege at all, as programs of the machine are. */
const curl = (host: Host, url: string, uid = 1_000) => run(host, 'curl', ['-sS', '--max-time', '5', url], uid);

test('packets are led to an unprivileged agent by rules of root, and to nobody when it is dead or the rules are gone', async (t) => {
  const { vm, other, stateDir, rulesFile, startWeb } = await scene(t);
  let web: Program & { readonly access: readonly Readonly<Record<string, unknown>>[] } = startWeb();
  const status = () => statusOf(vm, port.webAdmin);
  const said = (word: string, result: { out: string }) => assert.equal(result.out.split(' ')[0], word, JSON.stringify(result));

  // Without rules the port belongs to the program that has it.
  const before = await until('the port to be taken', async () => {
    const now = await status();
    return now.taken.length > 0 ? now : undefined;
  });
  assert.deepEqual([before.capture?.rules, before.outbound], ['missing', []]);
  assert.match(before.taken[0]?.reason ?? '', /port 8080 belongs to a program.*isthmus vm capture install/);

  const install = ['vm', 'capture', 'install', '--state-dir', stateDir, '--port', String(port.capture), '--rules-file', rulesFile];
  const more = ['--cidr', '198.18.0.0/16', '--exclude-user', String(backup), '--exclude-ports', '81'];
  const denied = await isthmus(vm, [...install], nobody);
  assert.deepEqual([denied.code, /only root may change packet filters/.test(denied.err)], [4, true], denied.err);
  const dry = await isthmus(vm, [...install, ...more, '--dry-run'], nobody);
  assert.match(dry.out, /ip daddr 127\.64\.0\.0\/10 meta l4proto tcp redirect to :15001/);
  assert.equal((await run(vm, 'nft', ['list', 'ruleset'])).out, '', 'a dry run changes nothing');
  for (const _ of ['once', 'again']) {
    const installed = await isthmus(vm, [...install, ...more]);
    assert.equal(installed.code, 0, installed.err);
  }

  const after = await until('the rules to be seen by the agent', async () => {
    const now = await status();
    return now.capture?.rules === 'in-place' && now.taken.length === 0 ? now : undefined;
  });
  const address = after.outbound.find((each) => each.address.startsWith('127.64.'))?.address ?? '';
  const mesh = `http://${address}:${port.service}/`;
  said('orders', await until('a call by name', async () => ((await curl(vm, mesh)).out === '' ? undefined : curl(vm, mesh))));
  said('wildcard', await curl(vm, `http://127.0.0.1:${port.service}/`));
  // Rules that are made anew have heard no sign of the agent yet, without which ranges are not led there.
  const ranged = (uid?: number) => async () => {
    const answer = await curl(vm, `http://${legacy}:${port.service}/`, uid);
    return answer.code === 0 ? answer : undefined;
  };
  said('orders', await until('the first sign of the agent', ranged()));
  assert.notEqual((await curl(vm, `http://${address}:99/`)).code, 0, 'nothing of the mesh is there');

  // What the mesh does not know goes on to where it was to go, through the agent or past it.
  const passed = () => web.access.filter((entry) => entry['upstream_cluster'] === 'PassthroughCluster').length;
  said('other', await curl(vm, `http://${other.address}/`));
  await until('its log entry', () => passed() === 1);
  said('other', await curl(vm, `http://${other.address}/`, backup));
  said('ssh', await curl(vm, `http://${other.address}:22/`));
  said('other', await curl(vm, `http://${other.address}/`, nobody));
  assert.notEqual((await curl(vm, `http://${legacy}:${port.service}/`, backup)).code, 0, 'who is left out has the network as it is');
  assert.equal(passed(), 1);

  // One user alone, by the number of whoever has no name: the ranges are led there for nobody else, the mesh's own addresses for all.
  const shop = 1_001;
  const only = await isthmus(vm, [...install, ...more, '--include-user', String(shop)]);
  assert.equal(only.code, 0, only.err);
  said('orders', await until('the next sign of the agent', ranged(shop)));
  assert.notEqual((await curl(vm, `http://${legacy}:${port.service}/`)).code, 0, 'another user has the network as it is');
  said('other', await curl(vm, `http://${other.address}/`, shop));
  await until('its log entry', () => passed() === 2);
  said('other', await curl(vm, `http://${other.address}/`));
  said('other', await curl(vm, `http://${other.address}/`, backup));
  said('orders', await curl(vm, mesh));
  assert.equal(passed(), 2);
  const nobodyThere = await isthmus(vm, [...install, ...more, '--include-user', 'no-such-user', '--dry-run']);
  assert.deepEqual([nobodyThere.code, /there is no user no-such-user here/.test(nobodyThere.err)], [2, true], nobodyThere.err);
  const both = await isthmus(vm, [...install, ...more, '--include-user', String(backup), '--dry-run']);
  assert.match(both.err, /a user is included and excluded/);
  const again = await isthmus(vm, [...install, ...more]);
  assert.equal(again.code, 0, again.err);

  // A dead agent stops nothing but the mesh.
  await web.kill9();
  said(
    'other',
    await until('the rules to let go', async () =>
      (await curl(vm, `http://${other.address}/`)).code === 0 ? curl(vm, `http://${other.address}/`) : undefined,
    ),
  );
  const refused = await curl(vm, mesh);
  assert.deepEqual([refused.code, refused.out], [7, ''], "refused, and not answered in the service's name by who listens on all addresses");
  web = startWeb();
  said('orders', await until('the new agent', async () => ((await curl(vm, mesh)).code === 0 ? curl(vm, mesh) : undefined)));

  // A reboot: the kernel has forgotten everything, and the unit loads what install has kept.
  await run(vm, 'nft', ['flush', 'ruleset']);
  await until('the agent to see it', async () => (await status()).capture?.rules === 'missing');
  assert.equal((await run(vm, 'nft', ['-f', rulesFile])).code, 0);
  await until('the agent to see them again', async () => (await status()).capture?.rules === 'in-place');
  said('orders', await curl(vm, mesh));

  assert.equal((await run(vm, 'nft', ['add', 'table', 'inet', 'admin'])).code, 0);
  const shown = await isthmus(vm, ['vm', 'capture', 'show', '-o', 'json', '--rules-file', rulesFile]);
  assert.deepEqual([JSON.parse(shown.out).installed, JSON.parse(shown.out).atBoot], [true, true]);
  for (const _ of ['once', 'again']) assert.equal((await isthmus(vm, ['vm', 'capture', 'remove', '--rules-file', rulesFile])).code, 0);
  assert.equal((await run(vm, 'nft', ['list', 'tables'])).out, 'table inet admin\n', 'all of ours, and nothing else');
  assert.equal((await run(vm, 'ls', [rulesFile])).code, 2);
});
