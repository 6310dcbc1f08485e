import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import { assertNoneFailed, call, loadFromVm, meshDns, onVm, viaSlices } from './calls.ts';
import { agentOf, FlapWatch, gatewayOf } from './flap-watch.ts';
import { inventoryOf, settled } from './inventory.ts';
import { SteadyLoad } from './steady-load.ts';
import type { Topology } from './topology.ts';

export async function controlPlanesDie(t: Topology): Promise<void> {
  const before = await inventoryOf(t);
  const pod = t.host('west', 'pod2');
  const { found } = await until('orders answers', () => call(pod, `http://${pod.address}:8080`, viaSlices(t, 'orders')));
  const loads = [await loadFromVm(t, 'payments'), new SteadyLoad(pod.reach, { url: `http://${found}/load` })];
  const flaps = new FlapWatch(dataPlanes(t));
  await flaps.started;
  await Promise.all([t.east.control.process.kill9(), t.west.control.process.kill9()]);
  const dead = performance.now();
  await until('traffic goes on without control planes', () =>
    loads.every((load) => load.samples.filter((s) => s.ok && s.at > dead + 1_000).length > 60),
  );
  await Promise.all([t.east.control.process.restart(), t.west.control.process.restart()]);
  // From the first answer on: what is known is never less than it was.
  for (let look = 0; look < 5; look++) {
    const { east, west } = await inventoryOf(t);
    for (const [was, is] of [
      [before['east'], east],
      [before['west'], west],
    ] as const)
      assert.deepEqual(namesOf(is), namesOf(was), 'a service was lost');
  }
  await settled(t);
  await flaps.fed();
  assert.deepEqual(await inventoryOf(t), before);
  await flaps.stop();
  for (const load of loads) await load.stop();
  assert.deepEqual(flaps.losses, [], 'a gateway or agent had fewer endpoints than before');
  for (const load of loads) assertNoneFailed(load);
}

const dataPlanes = (t: Topology) => [
  ...(['east', 'west'] as const).map((site) => gatewayOf(t.host(site, 'gw'))),
  ...t.east.vms.map(({ host }) => agentOf(host)),
];

const namesOf = (list: readonly string[] | undefined) => list?.map((line) => line.split(' ')[0]);

export async function registryDownAtRestart(t: Topology): Promise<void> {
  const pod = t.host('west', 'pod1');
  const how = viaSlices(t, 'catalog');
  const { found } = await until('catalog answers', () => call(pod, `http://${pod.address}:8080`, how));
  const load = new SteadyLoad(pod.reach, { url: `http://${found}/load` });
  const flaps = new FlapWatch(dataPlanes(t));
  await flaps.started;
  await t.east.consul.kill9();
  await t.east.control.process.kill9();
  await t.east.control.process.restart();
  const { sources, services } = await t.east.control.status();
  assert.equal(sources.find((s) => s.source === 'consul/dc')?.state, 'stale');
  const catalog = services.find((s) => s.name === 'catalog');
  assert.equal(catalog?.endpoints[0]?.healthy, 2);
  await flaps.fed();
  const since = performance.now();
  await until('catalog goes on answering', () => load.samples.filter((s) => s.ok && s.at > since + 1_000).length > 60);
  await load.stop();
  assertNoneFailed(load);
  await t.east.consul.restart();
  await settled(t);
  await flaps.stop();
  assert.deepEqual(flaps.losses, [], 'a gateway or agent had fewer endpoints than before');
}

export async function gatewayMoves(t: Topology): Promise<void> {
  const [vm] = t.east.vms;
  assert.ok(vm !== undefined);
  const gateway = t.host('west', 'gw');
  const old = gateway.address;
  const load = await loadFromVm(t, 'payments');
  await t.network.readdress(gateway);
  await t.west.gateway.moved();
  assert.notEqual(gateway.address, old);
  await until('east sends to the new address', async () => {
    const { gateways } = await t.east.control.status();
    return gateways.some((g) => g.cluster === 'west' && g.addresses.includes(gateway.address) && !g.addresses.includes(old));
  });
  await until('VM → Kubernetes over it', () => call(vm.host, onVm, meshDns('payments')));
  const back = performance.now();
  await until('requests after that', () => load.samples.filter((s) => s.at > back).length > 40);
  await load.stop();
  assert.deepEqual(load.failed.filter((s) => s.at > back).slice(0, 5), [], 'over the new address all are answered');
}
