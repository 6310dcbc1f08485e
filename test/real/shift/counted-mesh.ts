import type { TestContext } from 'node:test';
import type { GatewayRecord, MergedService } from '../../../control/catalog/index.ts';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import type { GatewayPort } from '../../../control/snapshot/index.ts';
import { TrafficMeters } from '../../../control/telemetry/traffic/index.ts';
import { admitFlow, type ReportingProxy } from '../../../control/telemetry/traffic/report-flow.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { clusterId, meshHost, networkId, principalOf } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { FlowRecorder } from '../../../core/telemetry/index.ts';
import { FlowSink } from '../../../gateway/telemetry/flows/flow-sink.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { EnvoyMesh, refusedUpdates } from '../../support/envoy-mesh.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { startOwnGateway, startOwnIngress, startOwnProxy } from '../routing-fields/own-proxy.ts';
import type { RunningEnvoy } from '../servers/index.ts';

export type CallerName = 'isthmus' | 'envoy' | 'originate' | 'ingress';

const hostSuffix = 'mesh.internal';

/** Callers of every kind, told the same over real ADS, and what they carry counted as the control plane counts it. */
export class CountedMesh {
  readonly pki = new MeshPki();
  readonly meters = new TrafficMeters(systemClock);
  readonly #t: TestContext;
  readonly #mesh: EnvoyMesh;
  readonly #compiler = createTrafficCompiler({ hostSuffix });
  readonly #policies = callerPolicies({ cluster: 'east', trustDomain: this.pki.trustDomain, exports: [], peers: new Map() });
  readonly #recorders: { readonly recorder: FlowRecorder; readonly proxy: ReportingProxy; readonly id: string }[] = [];
  readonly #ports = new Map<string, number>();
  #services: readonly MergedService[] = [];
  #gateways: readonly GatewayRecord[] = [];
  #gatewayPorts: readonly GatewayPort[] = [];
  #clients = 0;
  #envoy: RunningEnvoy | undefined;

  constructor(t: TestContext) {
    this.#t = t;
    this.#mesh = new EnvoyMesh(t, this.pki);
  }

  /** `behind`: the network of each gateway. All services are called by their only port. */
  async start(services: readonly MergedService[], objects: readonly TrafficObject[], behind: readonly string[]): Promise<void> {
    await this.#mesh.start();
    this.#services = services;
    this.#gateways = await Promise.all(behind.map((network, i) => this.#gateway(network, i)));
    this.#gatewayPorts = await Promise.all(
      services.map(async ({ key, ports }) => ({ service: key, port: ports[0]?.port ?? 0, gatewayPort: await deadPort() })),
    );
    this.set(objects);
    await Promise.all([this.#startOwn(), this.#startEnvoy(), this.#startOriginate(), this.#startIngress()]);
    await this.settled();
  }

  set(objects: readonly TrafficObject[]): void {
    const view = viewOf(this.#services, this.#gateways);
    const intermediates = [{ cluster: 'east', certificate: this.pki.cluster('east').certificate.der }];
    const trust = { trustDomain: this.pki.trustDomain, roots: this.pki.bundle.roots, intermediates, deniedSerials: [] };
    const traffic = this.#compiler.update(objects, view);
    const originateCidrs = ['127.0.0.0/8'];
    const gatewayPorts = this.#gatewayPorts;
    this.#mesh.update({ view, hostSuffix, trust, policies: this.#policies, traffic, gatewayPorts, originateCidrs });
  }

  /** Every client has acknowledged all of it. */
  async settled(): Promise<void> {
    await until('all proxies to have all', () => {
      const clients = this.#mesh.xds.clients();
      return clients.length === this.#clients && clients.every(({ current, types }) => current && types.length > 3);
    });
  }

  behind(service: MergedService): readonly string[] {
    return this.#mesh.xds.behind(meshHost(service, hostSuffix));
  }

  port(caller: CallerName, service: MergedService): number {
    return this.#ports.get(`${caller} ${service.key}`) ?? 0;
  }

  /** Of an ingress gateway: the port that leads to that service. */
  useIngress(service: MergedService, port: number): void {
    this.#ports.set(`ingress ${service.key}`, port);
  }

  /** What was carried since is counted. */
  collect(): void {
    const services = new Map(this.#services.map((service) => [service.key as string, service]));
    const mesh = { hostSuffix, isService: (ns: string, name: string) => services.has(`${ns}/${name}`), serves: () => false };
    for (const { recorder, proxy, id } of this.#recorders) {
      for (const flow of recorder.take()) {
        const key = admitFlow(flow, proxy, mesh);
        if (key !== undefined) this.meters.count({ id, key, cluster: flow.key.cluster, counts: flow.counts, countsOpened: true });
      }
    }
  }

  async refused(): Promise<readonly string[]> {
    const nacks = this.#mesh.xds.clients().flatMap(({ id, lastNack }) => (lastNack === undefined ? [] : [`${id}: ${lastNack.message}`]));
    return this.#envoy !== undefined && (await refusedUpdates(this.#envoy)) > 0 ? [...nacks, 'Envoy'] : nacks;
  }

  #sink(role: 'agent' | 'gateway', namespace: string, serviceAccount: string, id: string): FlowSink {
    this.#clients += 1;
    const spiffeId = { trustDomain: this.pki.trustDomain, namespace, serviceAccount };
    const recorder = new FlowRecorder();
    this.#recorders.push({ recorder, proxy: { spiffeId, cluster: 'east' }, id });
    return new FlowSink(recorder, role, () => ({ principal: principalOf(spiffeId), cluster: 'east' }));
  }

  async #gateway(network: string, i: number): Promise<GatewayRecord> {
    const instance = `gateway-${i}`;
    const flows = this.#sink('gateway', 'isthmus-system', 'gateway', instance);
    const { port } = await startOwnGateway(this.#t, this.#mesh, network, instance, flows);
    const at = { instance, addresses: ['127.0.0.1'], port };
    return { cluster: clusterId('east'), network: networkId(network), ...at, healthy: true, draining: false };
  }

  async #startOwn(): Promise<void> {
    const flows = this.#sink('agent', 'shop', 'web', 'own');
    const own = await startOwnProxy(this.#t, this.#mesh, { namespace: 'shop', serviceAccount: 'web', labels: {}, ...here, flows });
    for (const service of this.#services) {
      for (const { port, protocol } of service.ports) {
        const clusterName = `outbound|${port}||${meshHost(service, hostSuffix)}`;
        const open = await own.listen({ address: '127.0.0.1', port: 0, clusterName, protocol });
        this.#ports.set(`isthmus ${service.key}`, open.port);
      }
    }
  }

  async #startEnvoy(): Promise<void> {
    const flows = this.#sink('agent', 'shop', 'till', 'envoy');
    const outbound = await Promise.all(
      this.#services.map(async ({ namespace, name, ports, key }) => {
        const listen = await deadPort();
        this.#ports.set(`envoy ${key}`, listen);
        return { namespace, name, port: ports[0]?.port ?? 0, address: '127.0.0.1', listen };
      }),
    );
    this.#envoy = await this.#mesh.envoy('till', { ...here, claims: { outbound }, flows });
  }

  async #startOriginate(): Promise<void> {
    const flows = this.#sink('gateway', 'isthmus-system', 'gateway', 'originate');
    const { originate } = await startOwnGateway(this.#t, this.#mesh, here.network, 'originate', flows);
    for (const { service, gatewayPort } of this.#gatewayPorts) this.#ports.set(`originate ${service}`, gatewayPort);
    await this.settledOnce('originate');
    await originate();
  }

  /** One client of the mesh has all. */
  async settledOnce(instance: string): Promise<void> {
    await until(`${instance} to have all`, () =>
      this.#mesh.xds.clients().some(({ id, current, types }) => id.endsWith(`#${instance}`) && current && types.length > 3),
    );
  }

  async #startIngress(): Promise<void> {
    const flows = this.#sink('agent', 'isthmus-system', 'ingress', 'ingress');
    const spec = { namespace: 'isthmus-system', serviceAccount: 'ingress', labels: { istio: 'ingress' }, ...here, flows };
    await startOwnIngress(this.#t, this.#mesh, spec);
  }
}

const here = { network: 'east-net', locality: 'r1/z1/s1' };
