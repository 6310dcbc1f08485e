import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { assertNoneFailed, call, meshDns, onVm } from './scenario/calls.ts';
import { type ControlHost, joinVm, startApp, startControl, startGateway } from './scenario/isthmus-process.ts';
import { SteadyLoad } from './scenario/steady-load.ts';
import { createNetwork, endInReverse, type Host, inNamespace } from './servers/index.ts';

/** What a gateway and an agent both say of their data. */
interface DataStatus {
  readonly ready: boolean;
  readonly data: {
    readonly from: string;
    readonly ageMs?: number;
    readonly connected: boolean;
    readonly streams: number;
    readonly lastError?: string;
  };
}

const config = ({ address }: Host) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: outage.test
  stateDir: "{state}"
  identity: {rootDir: "{root}"}
  grpc: {listen: "0.0.0.0:15012", advertise: ["${address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
`;

async function statusOf(host: Host): Promise<DataStatus> {
  const kind = host.name === 'gw' ? 'gateway' : 'agent';
  const { body } = await host.reach.request({ url: `http://127.0.0.1:15021/v1/${kind}` });
  return JSON.parse(body) as DataStatus;
}

async function metricsOf(host: Host): Promise<string> {
  return (await host.reach.request({ url: `http://127.0.0.1:${host.name === 'gw' ? 15_020 : 15_021}/metrics` })).body;
}

/** The certificate that whoever is behind the gateway's SNI route presents; empty when nobody does. */
function peerBehind(gateway: Host, sni: string): Promise<string> {
  const [command, args] = inNamespace(gateway.netns, 'openssl', ['s_client', '-connect', `${gateway.address}:15443`, '-servername', sni]);
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 10_000 }, (_error, stdout) =>
      resolve(/-----BEGIN CERTIFICATE-----/.exec(stdout)?.[0] ?? ''),
    ).stdin?.end();
  });
}

/** Breaks the link, and waits until every data plane has given its stream up; then mends it, and waits until all are current again. */
async function standstill(planes: readonly Host[], breakIt: () => Promise<void>, mend: () => Promise<void>): Promise<void> {
  const before = await Promise.all(planes.map(statusOf));
  for (const { data } of before) assert.ok(data.connected && data.from === 'control-plane' && (data.ageMs ?? 0) < 15_000);
  await breakIt();
  for (const [i, host] of planes.entries()) {
    const { data } = await until(
      `${host.name} to replace its stream`,
      async () => {
        const now = await statusOf(host);
        return now.data.streams > (before[i]?.data.streams ?? 0) ? now : undefined;
      },
      60_000,
    );
    assert.ok((data.ageMs ?? 0) > 9_000, `${host.name} says its data is ${data.ageMs} ms old`);
    const [, seconds = '0'] = /isthmus_(?:agent|gateway)_data_age_seconds ([0-9.]+)/.exec(await metricsOf(host)) ?? [];
    assert.ok(Number(seconds) * 1_000 >= (data.ageMs ?? 0), 'older at the later look');
  }
  await mend();
  for (const host of planes) {
    await until(
      `${host.name} to be current`,
      async () => {
        const { data } = await statusOf(host);
        return data.connected && (data.ageMs ?? Number.POSITIVE_INFINITY) < 6_000;
      },
      60_000,
    );
  }
}

test('a control plane that stands still, is cut off or is gone: data ages, streams are replaced, traffic goes on, restarts serve from disk', {
  timeout: 400_000,
}, async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { hub: ['control'], edge: ['gw', 'vm1', 'vm2'] } });
  ending(() => network.remove());
  const [hub, gw, vm1, vm2] = [network.host('hub', 'control'), ...['gw', 'vm1', 'vm2'].map((name) => network.host('edge', name))] as [
    Host,
    Host,
    Host,
    Host,
  ];
  const control: ControlHost = await startControl(hub, config(hub), 'outage.test');
  ending(() => control.process.stop());
  const gateway = await startGateway(gw, control);
  ending(() => gateway.process.stop());
  const join = async (host: Host, name: string) => {
    const app = await startApp(host, name, '127.0.0.1', 8080);
    ending(() => app.stop());
    const agent = await joinVm(host, control, { service: `shop/${name}`, port: 80, appPort: 8080 });
    ending(() => agent.stop());
    return agent;
  };
  await join(vm1, 'orders');
  const caller = await join(vm2, 'web');
  const { found } = await until('orders answers', () => call(vm2, onVm, meshDns('orders')));
  const sni = 'outbound_.80_._.orders.shop.mesh.internal';
  await until('the way through the gateway', () => peerBehind(gw, sni));
  const load = new SteadyLoad(vm2.reach, { url: `http://${found}/load` });
  const planes = [gw, vm1, vm2];

  await t.test('stopped, its connections standing (SIGSTOP)', () =>
    standstill(
      planes,
      async () => control.process.suspend(),
      async () => control.process.resume(),
    ),
  );
  await t.test('behind a link that drops everything', () =>
    standstill(
      planes,
      () => network.cut('hub', 'edge'),
      () => network.heal('hub', 'edge'),
    ),
  );
  await load.stop();
  assertNoneFailed(load);
  await t.test('gone, while agent and gateway are killed too: both serve from disk, and say how old it is', async () => {
    await control.process.kill9();
    const before = await until('the loss to be seen', async () => {
      const all = await Promise.all(planes.map(statusOf));
      return all.every(({ data }) => !data.connected) ? all : undefined;
    });
    await Promise.all([gateway.process.kill9(), caller.kill9()]);
    await Promise.all([gateway.process.restart(), caller.restart()]);
    const again = await vm2.reach.request({ url: `http://${found}/after` });
    assert.equal(again.status, 200, 'by the address that was known, before anybody asks for it');
    assert.equal((await call(vm2, onVm, meshDns('orders'))).found, found);
    assert.notEqual(await peerBehind(gw, sni), '');
    for (const [i, host] of planes.entries()) {
      if (host === vm1) continue;
      const { ready, data } = await statusOf(host);
      assert.deepEqual([ready, data.from, data.connected], [true, 'disk', false]);
      assert.ok((data.ageMs ?? 0) >= (before[i]?.data.ageMs ?? 0), `${data.ageMs} ms after ${before[i]?.data.ageMs}`);
    }
    await control.process.restart();
    for (const host of planes)
      await until(`${host.name} to be current`, async () => (await statusOf(host)).data.from === 'control-plane', 60_000);
  });
});
