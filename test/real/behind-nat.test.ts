import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { call, meshDns, onVm } from './scenario/calls.ts';
import {
  type ControlHost,
  type GatewayHost,
  grpcCalls,
  joinVm,
  runIsthmus,
  startApp,
  startControl,
  startGateway,
  startGrpcApp,
} from './scenario/isthmus-process.ts';
import { SteadyLoad } from './scenario/steady-load.ts';
import { createNetwork, endInReverse, type Host, type Network, type Running } from './servers/index.ts';

/** What an agent, and a gateway, say of their tunnels. */
interface Tunnel {
  readonly peer: string;
  readonly state: string;
  /** Wall-clock ms, where it is open. */
  readonly since?: number;
  readonly streams: number;
}

const config = ({ address }: Host) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: hub}
spec:
  cluster: hub
  trustDomain: nat.test
  stateDir: "{state}"
  identity: {rootDir: "{root}"}
  grpc: {listen: "0.0.0.0:15012", advertise: ["${address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
`;

async function keptBy(host: Host): Promise<readonly Tunnel[]> {
  const { body } = await host.reach.request({ url: 'http://127.0.0.1:15021/v1/agent' });
  return (JSON.parse(body) as { tunnels?: readonly Tunnel[] }).tunnels ?? [];
}

async function heldBy(host: Host): Promise<readonly Tunnel[]> {
  const { body } = await host.reach.request({ url: 'http://127.0.0.1:15021/v1/gateway' });
  return (JSON.parse(body) as { tunnels: { held: readonly Tunnel[] } }).tunnels.held;
}

/** Whether each gateway holds a tunnel of each of the three machines behind the NAT, and no second one. */
async function holdsOfEach(gateways: readonly Host[]): Promise<boolean> {
  const held = await Promise.all(gateways.map(heldBy));
  return held.every((tunnels) => tunnels.filter(isOpen).length === 3 && new Set(tunnels.filter(isOpen).map(({ peer }) => peer)).size === 3);
}

const isOpen = ({ state }: Tunnel) => state === 'open';
const bothOpen = (host: Host) => until('two tunnels', async () => (await keptBy(host)).filter(isOpen).length === 2, 30_000);

/** Waits for some requests that were sent more than `graceMs` after `since`: all of them must have been answered. */
async function assertAnswered(load: SteadyLoad, since: number, graceMs: number, what: string): Promise<void> {
  const after = () => load.samples.filter(({ at }) => at > since + graceMs);
  const later = await until(`requests ${what}`, () => (after().length > 20 ? after() : undefined), 60_000);
  const failed = later.filter(({ ok }) => !ok);
  assert.deepEqual(failed.slice(0, 3), [], `${what}: ${failed.length} of ${later.length} failed`);
}

interface Site {
  readonly network: Network;
  readonly control: ControlHost;
  readonly gateways: readonly GatewayHost[];
  readonly gatewayHosts: readonly Host[];
  readonly server: Host;
  readonly agent: Running;
  readonly neighbour: Host;
  readonly branch: Host;
}

async function start(ending: (end: () => Promise<unknown>) => void): Promise<Site> {
  const network = await createNetwork({ sites: { hub: ['control', 'gw1', 'gw2'], lan: ['vm1', 'vm2', 'vm4'], branch: ['vm3'] } });
  ending(() => network.remove());
  await network.behindNat('lan');
  const hub = network.host('hub', 'control');
  const control = await startControl(hub, config(hub), 'nat.test');
  ending(() => control.process.stop());
  const gatewayHosts = ['gw1', 'gw2'].map((name) => network.host('hub', name));
  const gateways = await Promise.all(gatewayHosts.map((host) => startGateway(host, control)));
  for (const gateway of gateways) ending(() => gateway.process.stop());
  const [server, neighbour, branch] = [network.host('lan', 'vm1'), network.host('lan', 'vm2'), network.host('branch', 'vm3')];
  const join = async (host: Host, name: string, flags: readonly string[]) => {
    const app = await startApp(host, name, '127.0.0.1', 8080);
    ending(() => app.stop());
    const agent = await joinVm(host, control, { service: `shop/${name}`, port: 80, appPort: 8080, flags });
    ending(() => agent.stop());
    return agent;
  };
  const agent = await join(server, 'orders', ['--behind-nat', '--network', 'lan']);
  await join(neighbour, 'web', ['--behind-nat', '--network', 'lan', '--protocol', 'tcp']);
  await join(branch, 'far', ['--network', 'branch']);
  const ledger = network.host('lan', 'vm4');
  const program = await startGrpcApp(ledger, 8080);
  ending(() => program.stop());
  const flags = ['--behind-nat', '--network', 'lan', '--protocol', 'grpc'];
  const carrier = await joinVm(ledger, control, { service: 'shop/ledger', port: 80, appPort: 8080, health: 'grpc', flags });
  ending(() => carrier.stop());
  return { network, control, gateways, gatewayHosts, server, agent, neighbour, branch };
}

test('a VM behind a NAT serves callers of its own network and of others, through whatever gateways it has tunnels to', {
  timeout: 280_000,
}, async (t) => {
  const site = await start(endInReverse(t));
  const { network, control, gateways, gatewayHosts, server, agent, neighbour, branch } = site;
  const [gw1] = gateways;
  assert.ok(gw1 !== undefined);

  assert.notEqual(await branch.reach.dial(server.address, 15_006, 1_000), 'open', 'nobody can dial it');
  await bothOpen(server);
  for (const caller of [branch, neighbour]) {
    const answer = await until(`${caller.name} is answered`, () => call(caller, onVm, meshDns('orders')), 30_000);
    assert.equal(answer.app, 'orders');
    assert.match(answer.principal, /^spiffe:\/\/nat\.test\//);
  }
  const plain = await until('a byte stream is carried', () => call(branch, onVm, meshDns('web')), 30_000);
  assert.equal(plain.app, 'web');
  const { said: back, large, counted } = await until('gRPC is carried', () => grpcCalls(branch, 'ledger.shop.mesh.internal', 80), 30_000);
  assert.deepEqual(
    { back, large, messages: counted.length, last: counted.at(-1) },
    { back: 'hello', large: 3 << 20, messages: 300, last: '1' },
  );
  // A machine answers by its first tunnel: each dials its gateways on its own, and tries again after a while.
  await until('each gateway to hold one of each machine', () => holdsOfEach(gatewayHosts), 60_000);
  const said = JSON.parse(await runStatus(server)) as { tunnels: readonly Tunnel[] };
  assert.deepEqual(said.tunnels.map(({ peer }) => peer).sort(), ['hub/gw1', 'hub/gw2']);

  const { found } = await call(branch, onVm, meshDns('orders'));
  const load = new SteadyLoad(branch.reach, { url: `http://${found}/load` }, 150);

  await t.test('one of its gateways is killed: the other takes all of it', async () => {
    await until('some requests', () => load.samples.length > 10);
    const since = performance.now();
    await gw1.process.kill9();
    await assertAnswered(load, since, 1_500, 'after the loss of a gateway');
    await gw1.process.restart();
    await bothOpen(server);
  });

  await t.test('the NAT forgets its connections: they are begun anew', async () => {
    const [since, forgotten] = [performance.now(), Date.now()];
    await network.forgetNat('lan');
    // Until the loss is noticed, the old ones are said to be open.
    await until(
      'tunnels that were begun since',
      async () => (await keptBy(server)).filter((tunnel) => isOpen(tunnel) && (tunnel.since ?? 0) > forgotten).length === 2,
      60_000,
    );
    await assertAnswered(load, since, 10_000, 'after the NAT forgot');
  });

  await t.test('its agent is killed and started again', async () => {
    await agent.kill9();
    await agent.restart();
    await bothOpen(server);
    const since = performance.now();
    await assertAnswered(load, since, 2_000, 'after the agent came back');
  });

  await t.test('with the control plane gone, gateway and agent come back from disk and find each other', async () => {
    await control.process.kill9();
    await Promise.all([gw1.process.kill9(), agent.kill9()]);
    await Promise.all([gw1.process.restart(), agent.restart()]);
    await bothOpen(server);
    const since = performance.now();
    await assertAnswered(load, since, 2_000, 'without a control plane');
    await control.process.restart();
  });
  await load.stop();
});

async function runStatus(host: Host): Promise<string> {
  const { code, stdout, stderr } = await runIsthmus(host, ['vm', 'status', '--output', 'json']);
  assert.equal(code, 0, stderr);
  return stdout;
}
