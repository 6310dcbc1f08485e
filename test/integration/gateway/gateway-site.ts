import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { clusterSan } from '../../../core/model/index.ts';
import { type EncodedResource, native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { type GatewayOptionsInput, parseGatewayOptions, type RunningGateway, startGateway } from '../../../gateway/main.ts';
import { AgentPlane } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';

const host = 'orders.shop.mesh.internal';
const trustDomain = 'mesh.test';
export const sniOf = (subset: string) => `outbound_.80_.${subset}_.${host}`;
const outboundCluster = `outbound|80||${host}`;

type Endpoint = Partial<native.Endpoint>;

/** What the control plane tells this gateway; ports are of 127.0.0.1. */
export interface GatewayWorld {
  /** mTLS ends of `orders` in the gateway's own network. */
  readonly passthrough?: readonly number[];
  /** Plaintext apps of `orders` there. */
  readonly terminate?: readonly number[];
  readonly terminateProtocol?: native.Protocol;
  /** Gateway port → CIDRs that may use it. It leads to `outbound`. */
  readonly originate?: readonly { readonly port: number; readonly cidrs: readonly string[] }[];
  readonly outbound?: readonly Endpoint[];
  readonly extra?: Readonly<Record<string, readonly EncodedResource[]>>;
}

/** A gateway, and a control plane of which only what it serves is the test's. */
export class GatewaySite {
  readonly plane: AgentPlane;
  readonly #t: TestContext;

  private constructor(t: TestContext, plane: AgentPlane) {
    this.#t = t;
    this.plane = plane;
  }

  static async start(t: TestContext, options: { svidTtlMs?: number; agentTtlMs?: number } = {}): Promise<GatewaySite> {
    return new GatewaySite(t, await AgentPlane.start(t, options));
  }

  token(): Promise<string> {
    return this.plane.plane.token({ role: 'gateway', namespace: 'isthmus-system', serviceAccount: 'gateway' });
  }

  /** Of a gateway here; what `gateway` begins with. */
  async options() {
    const any = { address: '127.0.0.1', port: 0 };
    return {
      stateDir: await temporaryDir(this.#t),
      instance: 'gw-1',
      network: 'net-a',
      advertise: ['127.0.0.1'],
      listen: any,
      health: any,
      metrics: any,
      originateAddress: '127.0.0.1',
      drainMs: 2_000,
    };
  }

  async gateway(input: Partial<GatewayOptionsInput> = {}) {
    const parsed = parseGatewayOptions({ ...(await this.options()), ...input });
    if (!parsed.ok) throw new Error(parsed.violations.map((v) => `${v.path} ${v.message}`).join('; '));
    const access: Readonly<Record<string, unknown>>[] = [];
    const lines: string[] = [];
    const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const log = { debug() {}, info: write, warn: write, error: write };
    const gateway = await startGateway(
      parsed.value,
      { log, accessLog: (e) => access.push(e), metrics: new Registry() },
      new AbortController().signal,
    );
    onEnd(this.#t, () => gateway.drain());
    return { gateway, access, lines, options: parsed.value, get: (path: string) => pageOf(gateway, path) };
  }

  serve(world: GatewayWorld): void {
    const { roots } = this.plane.plane.authority.bundle();
    const local = (subset: string) => `local|80|${subset}|${host}`;
    const facts = { host, namespace: 'shop', service: 'orders', port: 80, protocol: native.Protocol.HTTP };
    const clusters = [local(''), local('gateway'), outboundCluster];
    const endpoints: Readonly<Record<string, readonly Endpoint[]>> = {
      [local('')]: (world.passthrough ?? []).map(plainEndpoint),
      [local('gateway')]: (world.terminate ?? []).map(plainEndpoint),
      [outboundCluster]: world.outbound ?? [],
    };
    const routes = [
      { name: sniOf(''), mode: native.Route_Mode.PASSTHROUGH, clusterName: local('') },
      {
        name: sniOf('gateway'),
        mode: native.Route_Mode.TERMINATE,
        clusterName: local('gateway'),
        protocol: world.terminateProtocol ?? native.Protocol.HTTP,
        authzName: 'shop/orders',
      },
    ];
    const listeners = (world.originate ?? []).map(({ port, cidrs }) => ({
      name: `originate|${port}`,
      kind: {
        $case: 'originate',
        value: { ...facts, port, clusterName: outboundCluster, allowedCidrs: [...cidrs] },
      },
    }));
    const allow = { action: native.AuthzRule_Action.ALLOW, name: 'test', principals: [`${trustDomain}/*`] };
    this.plane.source.set({
      [nativeTypeUrls.bundle]: [encoded(native.Bundle, trustDomain, { trustDomain, roots: roots.map((r) => Buffer.from(r)) })],
      [nativeTypeUrls.cluster]: clusters.map((name) => encoded(native.Cluster, name, { ...facts, name })),
      [nativeTypeUrls.loadAssignment]: clusters.map((clusterName) =>
        encoded(native.LoadAssignment, clusterName, { clusterName, endpoints: endpoints[clusterName] }),
      ),
      [nativeTypeUrls.listener]: listeners.map((each) => encoded(native.Listener, each.name, each)),
      [nativeTypeUrls.route]: routes.map((each) => encoded(native.Route, each.name, each)),
      [nativeTypeUrls.authz]: [encoded(native.Authz, 'shop/orders', { name: 'shop/orders', rules: [allow] })],
      ...world.extra,
    });
  }

  /** An endpoint of `orders` behind an east-west gateway on this port: `subset` says whose mTLS end is asked for. */
  behind(port: number, subset: '' | 'gateway', more: Endpoint = {}): Endpoint {
    const id = subset === '' ? 'ns/shop/sa/orders' : 'ns/isthmus-system/sa/gateway';
    const tls = { sni: sniOf(subset), uriSans: [`spiffe://${trustDomain}/${id}`], clusterSan: clusterSan('east', trustDomain) };
    return { ...plainEndpoint(port), tls, viaGateway: true, ...more };
  }
}

export function encoded(
  type: { create(base?: object): unknown; encode(message: never): { finish(): Uint8Array } },
  name: string,
  base: object,
): EncodedResource {
  const value = Buffer.from(type.encode(type.create(base) as never).finish());
  return { name, version: `${value.toString('base64').slice(-40)}${value.length}`, value };
}

function plainEndpoint(port: number): Endpoint {
  return { address: '127.0.0.1', port, weight: 1, cluster: 'east', network: 'net-a', runtime: 'vm', instance: `i${port}` };
}

async function pageOf(gateway: RunningGateway, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const { address, port } = path === '/metrics' ? gateway.metrics : gateway.health;
  const response = await fetch(`http://${address}:${port}${path}`);
  return { status: response.status, body: await response.text() };
}
