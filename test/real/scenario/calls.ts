import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import type { Host } from '../servers/index.ts';
import type { CallOutcome, Discovery, EchoBody } from './app.ts';
import { SteadyLoad } from './steady-load.ts';
import type { Topology } from './topology.ts';

/** What a program of that host gets when it looks the service up in its registry and calls it. */
export async function call(caller: Host, url: string, how: Discovery): Promise<EchoBody & { readonly found: string }> {
  const reply = await caller.reach.request({ url: `${url}/call`, method: 'POST', body: JSON.stringify(how) });
  assert.equal(reply.status, 200, reply.body);
  const outcome = JSON.parse(reply.body) as CallOutcome;
  assert.equal(outcome.status, 200, `${outcome.found}: ${outcome.body}`);
  return { ...(JSON.parse(outcome.body) as EchoBody), found: outcome.found };
}

export const onVm = 'http://127.0.0.1:8080';
export const meshDns = (name: string): Discovery => ({
  kind: 'mesh-dns',
  server: '127.0.0.1:15053',
  name: `${name}.shop.mesh.internal`,
  port: 80,
});

export const viaSlices = ({ west: { kubernetes } }: Topology, name: string): Discovery => ({
  kind: 'kubernetes',
  url: kubernetes.url,
  ca: kubernetes.ca,
  token: kubernetes.token,
  namespace: 'shop',
  service: `${name}-mesh`,
  port: 'http',
});

/** Steady requests of a VM to a service of the mesh, by the address that the agent's resolver gives. */
export async function loadFromVm(t: Topology, service: string): Promise<SteadyLoad> {
  const [vm] = t.east.vms;
  assert.ok(vm !== undefined);
  const { found } = await until(`${service} answers`, () => call(vm.host, onVm, meshDns(service)));
  return new SteadyLoad(vm.host.reach, { url: `http://${found}/load` });
}

/** Waits until `who` is not among the answers any more, and says how long after `since` the last one was sent. */
export async function leaves(load: SteadyLoad, who: (app: string) => boolean, since: number): Promise<number> {
  // Three seconds without it: one more than the bound that is asserted.
  await until('traffic to have left', () => {
    const last = load.samples.filter((s) => s.at >= since && who(s.app)).at(-1)?.at ?? since;
    return performance.now() - last > 3_000 && load.samples.filter((s) => s.at > last && s.ok).length > 20;
  });
  const last = load.samples.filter((s) => s.at >= since && who(s.app)).at(-1)?.at;
  return last === undefined ? 0 : last - since;
}

export function assertNoneFailed(load: SteadyLoad): void {
  assert.ok(load.samples.length > 50, `only ${load.samples.length} requests were sent`);
  assert.deepEqual(load.failed.slice(0, 5), [], `${load.failed.length} of ${load.samples.length} requests failed`);
}
