import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import { assertNoneFailed, call, leaves, loadFromVm, viaSlices } from './calls.ts';
import { settled } from './inventory.ts';
import { SteadyLoad } from './steady-load.ts';
import { podOf, type Topology } from './topology.ts';

export async function sliceLosesEndpoint(t: Topology): Promise<void> {
  const load = await loadFromVm(t, 'payments');
  const pod = t.host('west', 'pod1');
  await until('both pods answer', () => load.answered(0).size === 2);
  await t.west.kubernetes.api.writePod(podOf(pod, false));
  const since = await until('the slice says so', async () => {
    const slices = await t.west.kubernetes.api.list('/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices');
    const endpoints = slices.flatMap((s) => (s['endpoints'] ?? []) as { addresses: string[]; conditions: { ready: boolean } }[]);
    return endpoints.some((e) => e.addresses[0] === pod.address && !e.conditions.ready) ? performance.now() : undefined;
  });
  const left = await leaves(load, (app) => app === 'payments-pod1', since);
  await load.stop();
  assert.ok(left < 2_000, `traffic left after ${left} ms`);
  assertNoneFailed(load);
  await t.west.kubernetes.api.writePod(podOf(pod, true));
  await settled(t);
}

export async function allocationStops(t: Topology): Promise<void> {
  const load = await loadFromVm(t, 'inventory');
  await until('both tasks answer', () => load.answered(0).size === 2);
  const first = (await t.west.nomad.allocations('inventory')).find((a) => a.ClientStatus === 'running');
  assert.ok(first !== undefined);
  await t.west.nomad.api('POST', `/v1/allocation/${first.ID}/stop`);
  const since = await until('the allocation is no longer registered', async () => {
    const reply = await t.west.nomad.api('GET', '/v1/service/inventory');
    return (JSON.parse(reply.body) as { AllocID: string }[]).some((s) => s.AllocID === first.ID) ? undefined : performance.now();
  });
  const left = await leaves(load, (app) => app === `inventory-${first.ID.slice(0, 8)}`, since);
  await load.stop();
  assert.ok(left < 2_000, `traffic left after ${left} ms`);
  assertNoneFailed(load);
  await settled(t);
}

export async function checkGoesCritical(t: Topology): Promise<void> {
  const pod = t.host('west', 'pod1');
  const sick = t.host('east', 'app1');
  const how = viaSlices(t, 'catalog');
  const { found } = await until('catalog answers', () => call(pod, `http://${pod.address}:8080`, how));
  const load = new SteadyLoad(pod.reach, { url: `http://${found}/load` });
  await until('both answer', () => load.answered(0).size === 2);
  await sick.reach.request({ url: `http://${sick.address}:8080/fail`, method: 'POST' });
  const since = await until('Consul says critical', async () => {
    const reply = await t.east.consul.api('GET', '/v1/health/service/catalog?passing');
    return (JSON.parse(reply.body) as unknown[]).length === 1 ? performance.now() : undefined;
  });
  const left = await leaves(load, (app) => app === 'catalog-app1', since);
  await load.stop();
  assert.ok(left < 2_000, `traffic left after ${left} ms`);
  assertNoneFailed(load);
  await sick.reach.request({ url: `http://${sick.address}:8080/recover`, method: 'POST' });
  await settled(t);
}

export async function appDies(t: Topology): Promise<void> {
  const [vm] = t.east.vms;
  assert.ok(vm !== undefined);
  const pod = t.host('west', 'pod2');
  const how = viaSlices(t, 'orders');
  const { found } = await until('orders answers', () => call(pod, `http://${pod.address}:8080`, how));
  const load = new SteadyLoad(pod.reach, { url: `http://${found}/load` });
  await until('both VMs answer', () => load.answered(0).size === 2);
  const since = performance.now();
  await vm.app.kill9();
  const left = await leaves(load, (app) => app === `orders-${vm.host.name}`, since);
  await load.stop();
  assert.ok(left < 2_000, `traffic left after ${left} ms`);
  assertNoneFailed(load);
  await vm.app.restart();
  await settled(t);
}
