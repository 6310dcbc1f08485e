import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import type { Claims, TokenRequest } from '../../control/ca/index.ts';
import { routingMessage } from '../../control/snapshot/encode-native-routing.ts';
import { createXdsServer, type XdsServer } from '../../control/xds/index.ts';
import { clusterSan } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { Routing } from '../../core/traffic/index.ts';
import { type EncodedResource, native, nativeRouting, nativeTypeUrls } from '../../core/xds/index.ts';
import type { RegisteredWorkload } from '../../registries/vm/index.ts';
import {
  type AgentDeps,
  type AgentOptions,
  type AgentOptionsInput,
  parseAgentOptions,
  type RunningAgent,
  startAgent,
} from '../../sidecar-vm/main.ts';
import { startControlPlane, type TestControlPlane, temporaryDir } from './control-plane.ts';
import { deadPort } from './mesh-sockets.ts';
import { onEnd } from './on-end.ts';
import { TestSource } from './xds-plane.ts';

const hostSuffix = 'mesh.internal';
export const host = (service: string) => `${service}.shop.mesh.internal`;
export const clusterName = (service: string, port: number, subset = '') => `outbound|${port}|${subset}|${host(service)}`;

/** One service of the mesh as the test wants agents to see it. */
export interface MeshService {
  readonly name: string;
  readonly port: number;
  readonly protocol?: native.Protocol;
  /** Ports of 127.0.0.1 where inbounds of this service's VMs listen. */
  readonly endpoints?: readonly number[];
  /** Who may call, without the scheme; default everybody of the trust domain. */
  readonly principals?: readonly string[];
  /** Xds clusters beside the whole service's, with its endpoints. */
  readonly subsets?: readonly string[];
  /** `PORT|HOST`, of its port. */
  readonly routing?: Routing;
}

/** A control plane for agents: real identity, registration and delta ADS over real TLS; what it serves is what the test sets. */
export class AgentPlane {
  readonly source = new TestSource();
  readonly dir: string;
  #plane: TestControlPlane | undefined;
  #stop = new AbortController();
  #port: number | undefined;
  #xds: XdsServer | undefined;
  readonly #ttls: { readonly svidTtlMs?: number; readonly agentTtlMs?: number };

  private constructor(dir: string, ttls: { svidTtlMs?: number; agentTtlMs?: number }) {
    this.dir = dir;
    this.#ttls = ttls;
  }

  static async start(t: TestContext, options: { svidTtlMs?: number; agentTtlMs?: number } = {}): Promise<AgentPlane> {
    const plane = new AgentPlane(await temporaryDir(t), options);
    await plane.start();
    onEnd(t, () => plane.stop());
    return plane;
  }

  get plane(): TestControlPlane {
    if (this.#plane === undefined) throw new Error('the control plane is stopped');
    return this.#plane;
  }

  /** Again on the same port and state after `stop`. */
  async start(): Promise<void> {
    this.#stop = new AbortController();
    // While it is stopped, nobody else may be given it.
    this.#port ??= await deadPort();
    const clock = systemClock;
    this.#plane = await startControlPlane({
      dir: this.dir,
      ...this.#ttls,
      port: this.#port,
      extend: ({ front, log }) => {
        const callerOf = (call: Parameters<typeof front.callerOf>[0]) => front.callerOf(call);
        const xds = createXdsServer({ source: this.source, cluster: 'east', callerOf, clock, log, limits: { heartbeatMs: 50 } });
        for (const { definition, handlers } of xds.services) front.addService(definition, handlers);
        this.#xds = xds;
        void xds.run(this.#stop.signal);
      },
    });
    if (this.source.view().current() === undefined) this.serve([]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const plane = this.#plane;
    this.#plane = undefined;
    await plane?.stop();
  }

  /** Replaces the mesh that agents are told of. */
  serve(services: readonly MeshService[]): void {
    const { trustDomain, roots } = this.plane.authority.bundle();
    this.source.set({
      [nativeTypeUrls.bundle]: [
        encoded(native.Bundle, trustDomain, { trustDomain, roots: roots.map((r) => Buffer.from(r)), hostSuffix, jwtKeys: this.#jwtKeys() }),
      ],
      [nativeTypeUrls.listener]: services.map(listener),
      [nativeTypeUrls.cluster]: services.flatMap((service) => subsetsOf(service).map((subset) => cluster(service, subset))),
      [nativeTypeUrls.loadAssignment]: services.flatMap((service) =>
        subsetsOf(service).map((subset) => assignment(service, subset, trustDomain)),
      ),
      [nativeTypeUrls.routing]: services.flatMap(({ name, port, routing }) => {
        const id = `${port}|${host(name)}`;
        return routing === undefined ? [] : [encoded(nativeRouting.Routing, id, routingMessage(id, routing))];
      }),
      [nativeTypeUrls.authz]: services.map((service) => authz(service, trustDomain)),
    });
  }

  #jwtKeys(): native.JwtKey[] {
    return this.plane.jwtKeys
      .published()
      .map((key) => ({ ...key, publicKey: Buffer.from(key.publicKey), namespaces: [...key.namespaces] }));
  }

  /** Streams at this moment. */
  clients(): ReturnType<XdsServer['clients']> {
    return this.#xds?.clients() ?? [];
  }

  /** What the control plane knows of an instance. */
  async registered(instance: string): Promise<RegisteredWorkload | undefined> {
    for (const { record } of (await this.#plane?.instances.list()) ?? [])
      if (record.role === 'workload' && record.instance === instance) return record;
    return undefined;
  }

  async healthOf(instance: string): Promise<boolean | undefined> {
    return (await this.registered(instance))?.services[0]?.healthy;
  }

  token(serviceAccount: string, request: Partial<TokenRequest> = {}): Promise<string> {
    const claims: Partial<Claims> = { serviceAccount, services: [{ namespace: 'shop', name: serviceAccount, ports: [] }] };
    return this.plane.token(claims, request);
  }
}

/** Options of an agent on loopback whose every port is free. */
export function agentOptions(input: Partial<AgentOptionsInput> & Pick<AgentOptionsInput, 'stateDir' | 'token'>): AgentOptions {
  const any = { address: '127.0.0.1', port: 0 };
  const parsed = parseAgentOptions({
    instance: 'vm-1',
    address: '127.0.0.1',
    network: 'net-a',
    inbound: any,
    outbound: { loopbackAddresses: false },
    dns: any,
    admin: any,
    drainMs: 400,
    ...input,
  });
  if (!parsed.ok) throw new Error(parsed.violations.map((v) => `${v.path} ${v.message}`).join('; '));
  return parsed.value;
}

export interface TestAgent {
  readonly agent: RunningAgent;
  readonly options: AgentOptions;
  readonly lines: string[];
  readonly access: Readonly<Record<string, unknown>>[];
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
}

/** Ended with the test. */
export async function runTestAgent(t: TestContext, options: AgentOptions, deps: AgentDeps = {}): Promise<TestAgent> {
  const lines: string[] = [];
  const access: Readonly<Record<string, unknown>>[] = [];
  const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug() {}, info: write, warn: write, error: write };
  const accessLog = (entry: Readonly<Record<string, unknown>>) => void access.push(entry);
  const agent = await startAgent(options, { log, accessLog, metrics: new Registry(), ...deps }, new AbortController().signal);
  onEnd(t, () => agent.drain());
  return {
    agent,
    options,
    lines,
    access,
    get: async (path) => {
      const response = await fetch(`http://${agent.admin.address}:${agent.admin.port}${path}`);
      return { status: response.status, body: await response.text() };
    },
  };
}

interface Message<T> {
  create(base?: Partial<T>): T;
  encode(message: T): { finish(): Uint8Array };
}

function encoded<T>(type: { create(base?: object): T; encode: Message<T>['encode'] }, name: string, base: object): EncodedResource {
  const value = Buffer.from(type.encode(type.create(base)).finish());
  return { name, version: value.toString('base64').slice(-24) + value.length, value };
}

const subsetsOf = ({ subsets = [] }: MeshService) => ['', ...subsets];

function listener({ name, port, protocol = native.Protocol.HTTP, routing }: MeshService): EncodedResource {
  const routingName = routing === undefined ? '' : `${port}|${host(name)}`;
  const ports = [{ port, name: 'main', protocol, clusterName: clusterName(name, port), routingName }];
  const hosts = [host(name), `${name}.shop.svc.clusterset.local`];
  const value = { namespace: 'shop', service: name, hosts, ports };
  return encoded(native.Listener, host(name), { name: host(name), kind: { $case: 'service', value } });
}

function cluster({ name, port, protocol = native.Protocol.HTTP }: MeshService, subset: string): EncodedResource {
  const facts = { host: host(name), namespace: 'shop', service: name, port, protocol };
  return encoded(native.Cluster, clusterName(name, port, subset), { name: clusterName(name, port, subset), ...facts });
}

function assignment({ name, port, endpoints = [] }: MeshService, subset: string, trustDomain: string): EncodedResource {
  const tls = {
    sni: `outbound_.${port}_.${subset}_.${host(name)}`,
    uriSans: [`spiffe://${trustDomain}/ns/shop/sa/${name}`],
    clusterSan: clusterSan('east', trustDomain),
  };
  const all = endpoints.map((at) => ({ address: '127.0.0.1', port: at, weight: 1, tls, cluster: 'east', network: 'net-a', runtime: 'vm' }));
  const id = clusterName(name, port, subset);
  return encoded(native.LoadAssignment, id, { clusterName: id, endpoints: all });
}

function authz({ name, principals }: MeshService, trustDomain: string): EncodedResource {
  const rule = { action: native.AuthzRule_Action.ALLOW, name: 'test', principals: principals ?? [`${trustDomain}/*`] };
  return encoded(native.Authz, `shop/${name}`, { name: `shop/${name}`, rules: [rule] });
}
