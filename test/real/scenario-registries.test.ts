import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Breakage } from '../fakes/breakable-server.ts';
import { until } from '../support/until.ts';
import type { CallOutcome } from './scenario/app.ts';
import { type ControlHost, joinVm, logOf, startApp, startControl } from './scenario/isthmus-process.ts';
import { type ProxiedRegistry, startRegistryProxy } from './scenario/proxied-registry.ts';
import { SteadyLoad } from './scenario/steady-load.ts';
import { createNetwork, endInReverse, type Host, startConsul, startNomad } from './servers/index.ts';

const trustDomain = 'registries.test';
const app = fileURLToPath(new URL('./scenario/app.js', import.meta.url));

const config = (host: Host, consul: string, nomad: string) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
  identity: {rootDir: "{root}"}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: dc}
spec: {type: consul, connection: {url: "${consul}"}, mapping: {namespace: shop, claims: ["shop/*"], protocol: http}}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: jobs}
spec: {type: nomad, connection: {url: "${nomad}"}, mapping: {namespace: shop, claims: ["shop/*"], protocol: http}}
`;

interface Site {
  readonly control: ControlHost;
  readonly registries: readonly ProxiedRegistry[];
  /** On a VM, to a service of each registry. */
  readonly loads: readonly SteadyLoad[];
  /** One of two that Consul checks. */
  readonly catalog: Host;
}

async function start(ending: (end: () => Promise<unknown>) => void): Promise<Site> {
  const network = await createNetwork({ sites: { east: ['control', 'registry', 'app1', 'app2', 'vm'] } });
  ending(() => network.remove());
  const host = (name: string) => network.host('east', name);
  const { netns, address } = host('registry');
  const consul = await startConsul({ netns, address });
  ending(() => consul.stop());
  const nomad = await startNomad({ netns, address, networkInterface: 'eth0' });
  ending(() => nomad.stop());
  for (const name of ['app1', 'app2']) {
    const running = await startApp(host(name), `catalog-${name}`, '0.0.0.0', 8080);
    ending(() => running.stop());
    const url = `http://${host(name).address}:8080/healthz`;
    const check = { CheckID: name, HTTP: url, Interval: '500ms', Timeout: '1s', Status: 'passing' };
    const where = { ID: name, Name: 'catalog', Address: host(name).address, Port: 8080, Meta: { 'isthmus-port': '80' } };
    await consul.api('PUT', '/v1/agent/service/register', { ...where, Check: check });
  }
  const args = [app, 'inventory', '0.0.0.0', `\${NOMAD_PORT_main}`];
  await nomad.run({ job: 'inventory', command: process.execPath, args, count: 2, tags: ['isthmus.dev/port=80'], check: 'tcp' });
  const registries = [
    await startRegistryProxy(host('control'), 'consul', consul.url),
    await startRegistryProxy(host('control'), 'nomad', nomad.url),
  ];
  for (const registry of registries) ending(() => registry.stop());
  const [consulUrl = '', nomadUrl = ''] = registries.map((r) => r.url);
  const control = await startControl(host('control'), config(host('control'), consulUrl, nomadUrl), trustDomain);
  ending(() => control.process.stop());
  await until('all endpoints', async () => {
    const { healthy } = await look(control);
    return healthy['catalog'] === 2 && healthy['inventory'] === 2;
  });
  const own = await startApp(host('vm'), 'orders', '127.0.0.1', 8080);
  ending(() => own.stop());
  const agent = await joinVm(host('vm'), control, { service: 'shop/orders', port: 8080, appPort: 8080 });
  ending(() => agent.stop());
  const loads: SteadyLoad[] = [];
  for (const name of ['catalog', 'inventory']) {
    const load = new SteadyLoad(host('vm').reach, { url: `http://${await addressOf(host('vm'), name)}/load` }, 50);
    ending(() => load.stop());
    loads.push(load);
  }
  return { control, registries, loads, catalog: host('app1') };
}

/** Where the agent's resolver and listeners lead to, as soon as they do. */
function addressOf(vm: Host, service: string): Promise<string> {
  const how = { kind: 'mesh-dns', server: '127.0.0.1:15053', name: `${service}.shop.mesh.internal`, port: 80 };
  return until(`${service} answers`, async () => {
    const reply = await vm.reach.request({ url: 'http://127.0.0.1:8080/call', method: 'POST', body: JSON.stringify(how) });
    assert.equal(reply.status, 200, reply.body);
    const { status, body, found } = JSON.parse(reply.body) as CallOutcome;
    assert.equal(status, 200, body);
    return found;
  });
}

interface Look {
  readonly states: readonly string[];
  readonly errors: readonly string[];
  /** Healthy endpoints by service. */
  readonly healthy: Readonly<Record<string, number>>;
}

async function look(control: ControlHost): Promise<Look> {
  const status = await control.status();
  const sources = status.sources.filter((s) => s.runtime !== 'vm');
  return {
    states: sources.map((s) => s.state),
    errors: sources.map((s) => s.error ?? ''),
    healthy: Object.fromEntries(status.services.map((s) => [s.name, s.endpoints.reduce((sum, e) => sum + e.healthy, 0)])),
  };
}

/** Until both sources are in that state; at every look until then, the endpoints must be among those `allowed`. */
async function reaches(control: ControlHost, state: 'live' | 'stale', allowed: readonly Look['healthy'][]): Promise<Look> {
  const seen: Look[] = [];
  const last = await until(
    `both registries ${state}`,
    async () => {
      const now = await look(control);
      seen.push(now);
      if (now.states.some((s) => s !== state)) throw new Error(`${now.states.join()}: ${now.errors.join('; ')}`);
      return now;
    },
    60_000,
  );
  for (const { healthy } of seen) {
    const { catalog, inventory } = healthy;
    assert.ok(
      allowed.some((a) => a['catalog'] === catalog && a['inventory'] === inventory),
      `catalog ${catalog}, inventory ${inventory} on the way to ${state}`,
    );
  }
  return last;
}

const whole = { catalog: 2, inventory: 2 };
const oneSick = { catalog: 1, inventory: 2 };

async function assertNoneFailed(loads: readonly SteadyLoad[]): Promise<void> {
  for (const load of loads) {
    await until('twenty requests', () => load.samples.length > 20);
    assert.deepEqual(load.failed.slice(0, 5), [], `${load.failed.length} of ${load.samples.length} requests failed`);
  }
}

async function breakAll({ registries }: Site, how: Breakage): Promise<void> {
  await Promise.all(registries.map((r) => r.break(how)));
}

async function repairAll({ registries }: Site): Promise<void> {
  await Promise.all(registries.map((r) => r.repair()));
}

async function staysAndReturns(site: Site, how: Breakage): Promise<void> {
  await breakAll(site, how);
  const { errors } = await reaches(site.control, 'stale', [whole]);
  for (const error of errors) assert.notEqual(error, '', 'status says why');
  await repairAll(site);
  await reaches(site.control, 'live', [whole]);
  await assertNoneFailed(site.loads);
}

/** What changed while nothing true could be read is known once it can be, and not before. */
async function changedMeanwhile(site: Site): Promise<void> {
  const { control, catalog } = site;
  await breakAll(site, 'garbage');
  await reaches(control, 'stale', [whole]);
  const post = (path: string) => catalog.reach.request({ url: `http://127.0.0.1:8080/${path}`, method: 'POST' });
  await post('fail');
  await repairAll(site);
  await reaches(control, 'live', [whole, oneSick]);
  await until('the sick one is known', async () => (await look(control)).healthy['catalog'] === 1);
  await post('recover');
  await until('its recovery is known', async () => (await look(control)).healthy['catalog'] === 2);
  await assertNoneFailed(site.loads);
}

async function restartedMeanwhile(site: Site, how: Breakage): Promise<void> {
  const { control } = site;
  await breakAll(site, how);
  await control.process.kill9();
  await control.process.restart();
  await reaches(control, 'stale', [whole]);
  await repairAll(site);
  await reaches(control, 'live', [whole]);
  await assertNoneFailed(site.loads);
}

test('whatever a registry answers, the last good state stays and is served', { timeout: 300_000 }, async (t) => {
  const site = await start(endInReverse(t));
  const step = (what: string, run: () => Promise<void>) =>
    t.test(what, async () => {
      await run().catch(async (error: unknown) => {
        process.stderr.write(`--- control\n${(await logOf(site.control.process)).split('\n').slice(-30).join('\n')}\n`);
        throw error;
      });
    });
  for (const how of ['errors', 'garbage', 'half-json', 'wrong-json', 'refused', 'reset'] as const) {
    await step(`${how}: stale with the reason, nothing lost, no request fails, and back`, () => staysAndReturns(site, how));
  }
  await step('what changed meanwhile is known on return', () => changedMeanwhile(site));
  for (const how of ['silence', 'garbage', 'refused'] as const) {
    await step(`${how} while the control plane is killed and starts again: nothing is lost`, () => restartedMeanwhile(site, how));
  }
});
