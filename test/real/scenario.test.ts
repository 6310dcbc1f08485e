import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { readBlocks } from '../support/docs-blocks.ts';
import { until } from '../support/until.ts';
import type { Discovery } from './scenario/app.ts';
import { call, meshDns, onVm, viaSlices } from './scenario/calls.ts';
import { allocationStops, appDies, checkGoesCritical, sliceLosesEndpoint } from './scenario/endpoint-failures.ts';
import { settled } from './scenario/inventory.ts';
import { logOf } from './scenario/isthmus-process.ts';
import { controlPlanesDie, gatewayMoves, registryDownAtRestart } from './scenario/outages.ts';
import { startTopology, type Topology, trustDomain } from './scenario/topology.ts';
import { endInReverse } from './servers/index.ts';

const gatewayId = `spiffe://${trustDomain}/ns/isthmus-system/sa/gateway`;
const ordersId = `spiffe://${trustDomain}/ns/shop/sa/orders`;

async function nomadTask(t: Topology): Promise<string> {
  const reply = await t.west.nomad.api('GET', '/v1/service/inventory');
  const [service] = JSON.parse(reply.body) as { Address: string; Port: number }[];
  assert.ok(service !== undefined);
  return `http://${service.Address}:${service.Port}`;
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

  // Agents know what their machines have called; what is watched later on is all there is.
  for (const { host } of t.east.vms)
    for (const name of ['payments', 'inventory']) await until(`${host.name} → ${name}`, () => call(host, onVm, meshDns(name)));

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
