import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { readBlocks } from '../support/docs-blocks.ts';
import { until } from '../support/until.ts';
import type { CallOutcome, Discovery, EchoBody } from './scenario/app.ts';
import { agentOf, FlapWatch, gatewayOf } from './scenario/flap-watch.ts';
import { logOf } from './scenario/isthmus-process.ts';
import { SteadyLoad } from './scenario/steady-load.ts';
import { podOf, startTopology, type Topology, trustDomain } from './scenario/topology.ts';
import { endInReverse, type Host } from './servers/index.ts';

const gatewayId = `spiffe://${trustDomain}/ns/isthmus-system/sa/gateway`;
const ordersId = `spiffe://${trustDomain}/ns/shop/sa/orders`;

/** What a program of that host gets when it looks the service up in its registry and calls it. */
async function call(caller: Host, url: string, how: Discovery): Promise<EchoBody & { readonly found: string }> {
  const reply = await caller.reach.request({ url: `${url}/call`, method: 'POST', body: JSON.stringify(how) });
  assert.equal(reply.status, 200, reply.body);
  const outcome = JSON.parse(reply.body) as CallOutcome;
  assert.equal(outcome.status, 200, `${outcome.found}: ${outcome.body}`);
  return { ...(JSON.parse(outcome.body) as EchoBody), found: outcome.found };
}

async function nomadTask(t: Topology): Promise<string> {
  const reply = await t.west.nomad.api('GET', '/v1/service/inventory');
  const [service] = JSON.parse(reply.body) as { Address: string; Port: number }[];
  assert.ok(service !== undefined);
  return `http://${service.Address}:${service.Port}`;
}

const onVm = 'http://127.0.0.1:8080';
const meshDns = (name: string): Discovery => ({
  kind: 'mesh-dns',
  server: '127.0.0.1:15053',
  name: `${name}.shop.mesh.internal`,
  port: 80,
});

/** Waits until `who` is not among the answers any more, and says how long after `since` the last one was sent. */
async function leaves(load: SteadyLoad, who: (app: string) => boolean, since: number): Promise<number> {
  // Three seconds without it: one more than the bound that is asserted.
  await until('traffic to have left', () => {
    const last = load.samples.filter((s) => s.at >= since && who(s.app)).at(-1)?.at ?? since;
    return performance.now() - last > 3_000 && load.samples.filter((s) => s.at > last && s.ok).length > 20;
  });
  const last = load.samples.filter((s) => s.at >= since && who(s.app)).at(-1)?.at;
  return last === undefined ? 0 : last - since;
}

function assertNoneFailed(load: SteadyLoad): void {
  assert.ok(load.samples.length > 50, `only ${load.samples.length} requests were sent`);
  assert.deepEqual(load.failed.slice(0, 5), [], `${load.failed.length} of ${load.samples.length} requests failed`);
}

/** Endpoints that each cluster knows, by service; for comparing before and after. */
async function inventoryOf(t: Topology): Promise<Record<string, string[]>> {
  const [east, west] = await Promise.all([t.east.control.status(), t.west.control.status()]);
  const of = (status: typeof east) =>
    status.services
      .map(
        (s) =>
          `${s.namespace}/${s.name} ${s.endpoints
            .map((e) => `${e.cluster}:${e.source}=${e.healthy}`)
            .sort()
            .join()}`,
      )
      .sort();
  return { east: of(east), west: of(west) };
}

async function settled(t: Topology): Promise<void> {
  await until(
    'both clusters know everything, healthy',
    async () => {
      const { east, west } = await inventoryOf(t);
      for (const [name, place] of [
        ['catalog', 'east:consul/dc=2'],
        ['orders', 'east:vm/agents=2'],
        ['payments', 'west:kubernetes/prod=2'],
        ['inventory', 'west:nomad/jobs=2'],
      ] as const) {
        for (const [site, list] of [
          ['east', east],
          ['west', west],
        ] as const) {
          if (!list?.some((line) => line.startsWith(`shop/${name} `) && line.includes(place)))
            throw new Error(`${site} lacks ${name} ${place}: ${list?.join('; ')}`);
        }
      }
      return true;
    },
    60_000,
  );
}

describe('one request, four runtimes, two clusters, real registries', { timeout: 600_000 }, () => {
  test('the whole scenario', async (t) => {
    const ending = endInReverse(t);
    const topology = await startTopology(ending);
    let printed = false;
    const step = (what: string, run: (topology: Topology) => Promise<void>) =>
      t.test(what, async () => {
        try {
          await run(topology);
        } catch (error) {
          if (!printed) await printLogs(topology);
          printed = true;
          throw error;
        }
      });
    await step('both clusters know all services of the other', settled);
    await step('requests cross in every direction, and each end sees the caller', crossings);
    await step('docs/call-without-sidecar.md: every command on it', pageCommands);
    await step('an EndpointSlice loses its endpoint: traffic leaves within 2 s, nothing fails', sliceLosesEndpoint);
    await step('a Nomad allocation is stopped: traffic leaves within 2 s, nothing fails', allocationStops);
    await step('a Consul check goes critical: traffic leaves within 2 s, nothing fails', checkGoesCritical);
    await step("the VM's app dies: traffic leaves within 2 s, nothing fails", appDies);
    await step('both control planes are killed: traffic goes on; they return: nothing is lost, nothing flaps', controlPlanesDie);
    await step('a registry is down while the control plane restarts: its services stay', registryDownAtRestart);
    await step('the only gateway of a site is re-addressed: peers follow', gatewayMoves);
  });
});

async function crossings(t: Topology): Promise<void> {
  const [vm] = t.east.vms;
  assert.ok(vm !== undefined);
  const beyond = t.host('west', 'pod1').address;
  assert.equal(await vm.host.reach.dial(beyond, 8080, 1_000), 'timeout', 'nothing crosses but peering and east-west ports');
  const payments = await until('VM → Kubernetes', () => call(vm.host, onVm, meshDns('payments')));
  assert.match(payments.app, /^payments-/);
  assert.equal(payments.principal, ordersId);
  const inventory = await until('VM → Nomad', () => call(vm.host, onVm, meshDns('inventory')));
  assert.match(inventory.app, /^inventory-/);
  assert.equal(inventory.principal, ordersId);

  const catalogHost = t.host('east', 'app1');
  const { dns } = t.east.consul;
  const viaConsul: Discovery = {
    kind: 'consul-dns',
    server: `${t.host('east', 'consul').address}:${dns.port}`,
    name: 'orders-mesh.service.east.consul',
  };
  const toVm = await until('a process found by Consul → VM', () => call(catalogHost, `http://${catalogHost.address}:8080`, viaConsul));
  assert.match(toVm.app, /^orders-/);
  assert.equal(toVm.principal, gatewayId);

  const pod = t.host('west', 'pod1');
  const toConsul = await until('a process in the network of Kubernetes → Consul', () =>
    call(pod, `http://${pod.address}:8080`, viaSlices(t, 'catalog')),
  );
  assert.match(toConsul.app, /^catalog-/);
  assert.equal(toConsul.principal, gatewayId);

  const task = await nomadTask(t);
  const westDns = `${t.host('west', 'consul').address}:${t.west.consul.dns.port}`;
  const fromTask = await until('a Nomad task → VM', () =>
    call(t.host('west', 'nomad'), task, { kind: 'consul-dns', server: westDns, name: 'orders-mesh.service.west.consul' }),
  );
  assert.match(fromTask.app, /^orders-/);
  assert.equal(fromTask.principal, gatewayId);
}

/** The page's commands, each where its reader would type it; what the page calls Consul's port 8500 is the test's here. */
async function pageCommands(t: Topology): Promise<void> {
  const blocks = await readBlocks('docs/call-without-sidecar.md', 'sh');
  const [status = '', consul = '', kubectl = '', explain = '', uninstall = '', ...more] = blocks;
  assert.equal(more.length, 0);
  const { east, west } = t;
  assert.match(await east.control.shell(status), /payments/);
  const url = `http://${t.host('east', 'consul').address}:${new URL(east.consul.url).port}`;
  assert.match(await east.control.shell(consul.replace('http://127.0.0.1:8500', url)), /"Service":"orders-mesh"/);
  const kubernetes = { KUBECONFIG: west.kubernetes.kubeconfig, PATH: `${dirname(west.kubernetes.kubectl)}:${process.env['PATH'] ?? ''}` };
  assert.match(await west.control.shell(kubectl, kubernetes), /orders-mesh/);
  assert.match(await east.control.shell(explain), /verdict|allowed|reaches/i);
  assert.match(await east.control.shell(uninstall), /orders-mesh/);
}

/** Steady requests of a VM to a service of the mesh, by the address that the agent's resolver gives. */
async function loadFromVm(t: Topology, service: string): Promise<SteadyLoad> {
  const [vm] = t.east.vms;
  assert.ok(vm !== undefined);
  const { found } = await until(`${service} answers`, () => call(vm.host, onVm, meshDns(service)));
  return new SteadyLoad(vm.host.reach, { url: `http://${found}/load` });
}

async function sliceLosesEndpoint(t: Topology): Promise<void> {
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

async function allocationStops(t: Topology): Promise<void> {
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

async function checkGoesCritical(t: Topology): Promise<void> {
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

async function appDies(t: Topology): Promise<void> {
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

async function controlPlanesDie(t: Topology): Promise<void> {
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

const viaSlices = ({ west: { kubernetes } }: Topology, name: string): Discovery => ({
  kind: 'kubernetes',
  url: kubernetes.url,
  ca: kubernetes.ca,
  token: kubernetes.token,
  namespace: 'shop',
  service: `${name}-mesh`,
  port: 'http',
});

const namesOf = (list: readonly string[] | undefined) => list?.map((line) => line.split(' ')[0]);

async function registryDownAtRestart(t: Topology): Promise<void> {
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

async function gatewayMoves(t: Topology): Promise<void> {
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

async function printLogs(t: Topology): Promise<void> {
  const { east, west } = t;
  for (const running of [
    east.control.process,
    west.control.process,
    east.gateway.process,
    west.gateway.process,
    ...east.vms.map((v) => v.agent),
  ]) {
    process.stderr.write(`--- ${running.name}\n${(await logOf(running)).split('\n').slice(-25).join('\n')}\n`);
  }
}
