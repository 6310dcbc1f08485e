import type { TestContext } from 'node:test';
import type { GatewayRecord, MergedService } from '../../../control/catalog/index.ts';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler, type Finding } from '../../../control/routing/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { clusterId, meshHost, networkId } from '../../../core/model/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { EnvoyMesh, refusedUpdates } from '../../support/envoy-mesh.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import type { RunningEnvoy } from '../servers/index.ts';
import { type CallerSpec, startOwnGateway, startOwnProxy } from './own-proxy.ts';

export type ProxyName = 'isthmus' | 'envoy';
export const proxyNames: readonly ProxyName[] = ['isthmus', 'envoy'];

/** Both callers are this workload, of the namespace `shop` unless it is said. */
const caller: Omit<CallerSpec, 'namespace'> = {
  serviceAccount: 'web',
  labels: { app: 'web', tier: 'front' },
  network: 'east-net',
  locality: 'r1/z1/s1',
};

const hostSuffix = 'mesh.internal';

/** A control plane with neither registries nor stores, and two proxies that are told the same: ours and Envoy. */
export class Bed {
  readonly pki = new MeshPki();
  readonly #t: TestContext;
  readonly #mesh: EnvoyMesh;
  readonly #compiler = createTrafficCompiler({ hostSuffix });
  readonly #policies = callerPolicies({ cluster: 'east', trustDomain: this.pki.trustDomain, exports: [], peers: new Map() });
  #envoy: RunningEnvoy | undefined;
  #ports = new Map<string, Record<ProxyName, number>>();
  #services = new Map<string, MergedService>();
  #objects: readonly TrafficObject[] = [];
  #gateways: readonly GatewayRecord[] = [];
  readonly #connections: (() => number)[] = [];

  readonly #caller: CallerSpec;

  constructor(t: TestContext, namespace = 'shop') {
    this.#t = t;
    this.#caller = { ...caller, namespace };
    this.#mesh = new EnvoyMesh(t, this.pki);
  }

  /** The proxies open a port for each port of these; more cannot follow. `gateways`: the network of each, all of them ours. */
  async start(services: readonly MergedService[], objects: readonly TrafficObject[], gateways: readonly string[] = []): Promise<void> {
    await this.#mesh.start();
    this.#gateways = await Promise.all(gateways.map((network, i) => this.#gateway(network, `gateway-${i}`)));
    this.set(services, objects);
    const targets = services.flatMap(({ namespace, name, ports }) => ports.map((port) => ({ ...port, namespace, name })));
    const claims = await Promise.all(
      targets.map(async ({ namespace, name, port }) => ({ namespace, name, port, address: '127.0.0.1', listen: await deadPort() })),
    );
    const { serviceAccount, ...options } = this.#caller;
    const [own, envoy] = await Promise.all([
      startOwnProxy(this.#t, this.#mesh, this.#caller),
      this.#mesh.envoy(serviceAccount, { ...options, claims: { outbound: claims } }),
    ]);
    this.#envoy = envoy;
    for (const [i, { namespace, name, port, protocol }] of targets.entries()) {
      const clusterName = `outbound|${port}||${meshHost({ namespace, name }, hostSuffix)}`;
      const open = await own.listen({ address: '127.0.0.1', port: 0, clusterName, protocol });
      this.#ports.set(`${namespace}/${name}:${port}`, { isthmus: open.port, envoy: claims[i]?.listen ?? 0 });
    }
    await this.settled();
  }

  /** Replaces all that is said. Returns what the compiler finds wrong with it. */
  set(services: readonly MergedService[], objects: readonly TrafficObject[]): readonly Finding[] {
    this.#services = new Map(services.map((service) => [service.key, service]));
    this.#objects = objects;
    const view = viewOf(services, this.#gateways);
    const traffic = this.#compiler.update(objects, view);
    const intermediates = [{ cluster: 'east', certificate: this.pki.cluster('east').certificate.der }];
    const trust = { trustDomain: this.pki.trustDomain, roots: this.pki.bundle.roots, intermediates, deniedSerials: [] };
    this.#mesh.update({ view, hostSuffix, trust, policies: this.#policies, traffic, gatewayPorts: [], originateCidrs: [] });
    return traffic.findings;
  }

  /** Replaces what is said of these services alone, and waits until both know. */
  async change(services: readonly MergedService[]): Promise<void> {
    const all = new Map([...this.#services, ...services.map((service) => [service.key, service] as const)]);
    this.set([...all.values()], this.#objects);
    await this.settled();
  }

  /** Both have taken all of it. */
  async settled(): Promise<void> {
    await until('both proxies to have all', () => {
      const clients = this.#mesh.xds.clients();
      return clients.length === 2 + this.#gateways.length && clients.every(({ current, types }) => current && types.length > 3);
    });
  }

  /** What either of them has refused since it was started. */
  async refused(): Promise<readonly string[]> {
    const nacks = this.#mesh.xds
      .clients()
      .flatMap(({ id, lastNack }) => (lastNack === undefined ? [] : [`${id}: ${JSON.stringify(lastNack)}`]));
    const counted = this.#envoy === undefined ? 0 : await refusedUpdates(this.#envoy);
    return counted > 0 && nacks.length === 0 ? [`Envoy: ${counted}`] : nacks;
  }

  /** Of each gateway, those that it carries now. */
  get gatewayConnections(): readonly number[] {
    return this.#connections.map((count) => count());
  }

  async #gateway(network: string, instance: string): Promise<GatewayRecord> {
    const { port, connections } = await startOwnGateway(this.#t, this.#mesh, network, instance);
    this.#connections.push(connections);
    const at = { instance, addresses: ['127.0.0.1'], port };
    return { cluster: clusterId('east'), network: networkId(network), ...at, healthy: true, draining: false };
  }

  port(service: string, port: number, proxy: ProxyName): number {
    return this.#ports.get(`${service}:${port}`)?.[proxy] ?? 0;
  }
}
