import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { createNetwork, endInReverse, inNamespace, reachFrom, startConsul, startKubernetes, startNomad } from './servers/index.ts';

const HTTP_APP = 'require("http").createServer((q, s) => s.end("here")).listen(+process.argv[1], process.argv[2])';

/** A TCP listener on every address of a namespace; the result ends it. */
async function listenIn(netns: string, port: number): Promise<() => Promise<void>> {
  const program = 'require("net").createServer((s) => s.on("error", () => {})).listen(+process.argv[1], "0.0.0.0")';
  const [command, args] = inNamespace(netns, process.execPath, ['-e', program, String(port)]);
  const child = spawn(command, args, { stdio: 'inherit' });
  const exited = once(child, 'exit');
  return async () => {
    child.kill('SIGKILL');
    await exited;
  };
}

test('between two sites only the given ports cross, and every fault is as told', async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { east: ['vm', 'gateway'], west: ['gateway'] }, ports: [15443] });
  ending(() => network.remove());
  const vm = network.host('east', 'vm');
  const neighbour = network.host('east', 'gateway');
  const gateway = network.host('west', 'gateway');
  for (const host of [neighbour, gateway]) {
    for (const port of [15443, 8080]) ending(await listenIn(host.netns, port));
  }
  const dial = (port: number): Promise<string> => vm.reach.dial(gateway.address, port, 1_000);
  const site = async (): Promise<string> => `${await dial(15443)} ${await dial(8080)}`;

  for (const { reach } of [neighbour, gateway]) {
    for (const port of [15443, 8080]) await until('a listener', async () => (await reach.dial('127.0.0.1', port, 1_000)) === 'open');
  }
  assert.equal(await vm.reach.dial(neighbour.address, 8080, 1_000), 'open', 'any port inside a site');
  assert.equal(await site(), 'open timeout');
  await network.setDeny('reject');
  assert.equal(await site(), 'open refused');

  await network.blockInbound('west');
  assert.equal(await site(), 'refused refused');
  assert.equal(await gateway.reach.dial(neighbour.address, 15443, 1_000), 'open', 'a closed site still dials out');
  await network.allowInbound('west');

  await network.cut('east', 'west');
  assert.equal(await site(), 'timeout timeout', 'a cut link answers nothing, whatever the firewall would');
  await network.heal('west', 'east');
  assert.equal(await site(), 'open refused');

  const old = gateway.address;
  const next = await network.readdress(gateway);
  assert.equal(gateway.address, next);
  assert.equal(await dial(15443), 'open');
  assert.notEqual(await vm.reach.dial(old, 15443, 1_000), 'open');
});

test('the servers run inside a namespace, where only it can reach them', async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { east: ['registry'] } });
  ending(() => network.remove());
  const { netns, address, reach } = network.host('east', 'registry');
  const consul = await startConsul({ netns, address, ports: { http: 8500, dns: 8600 } });
  ending(() => consul.stop());
  assert.equal(consul.url, `http://${address}:8500`);
  const nomad = await startNomad({ netns, address, networkInterface: 'eth0' });
  ending(() => nomad.stop());
  const kubernetes = await startKubernetes({ netns, address });
  ending(() => kubernetes.stop());

  await nomad.run({ job: 'stock', command: process.execPath, args: ['-e', HTTP_APP, `\${NOMAD_PORT_main}`, address], check: 'tcp' });
  const [stock] = await until('the native service on the address of the site', async () => {
    const found = JSON.parse((await nomad.api('GET', '/v1/service/stock')).body) as { Address: string; Port: number }[];
    return found.length === 1 ? found : undefined;
  });
  assert.equal(stock?.Address, address);
  await until('the task answers', async () => (await reach.dial(address, stock?.Port ?? 0, 1_000)) === 'open');
  assert.equal((await consul.api('GET', '/v1/status/leader')).status, 200);
  await kubernetes.api.ensureNamespace('shop');
  assert.equal(await reachFrom().dial(address, 8500, 1_000), 'unreachable', 'not from the machine itself');
});
