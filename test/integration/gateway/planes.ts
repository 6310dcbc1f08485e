import { once } from 'node:events';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import type { SettableSvidSource } from '../../../core/identity/index.ts';
import { clusterSan, formatSpiffeId, type Protocol } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { Authz, Cluster, Endpoint, LoadAssignment, Protocol as WireProtocol } from '../../../core/xds/gen/isthmus/native/v1/native.ts';
import type { native } from '../../../core/xds/index.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import {
  createInbound,
  createOutbound,
  type DataPlaneContext,
  type DataPlaneLimits,
  defaultLimits,
  StateStore,
} from '../../../gateway/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';

export const host = 'orders.shop.mesh.internal';
const clusterName = `outbound|80||${host}`;
const sni = `outbound_.80_._.${host}`;

type Entry = Readonly<Record<string, unknown>>;

/** One process of the mesh: its identity, its state, what it logged. */
export interface Node {
  readonly context: DataPlaneContext;
  readonly state: StateStore;
  readonly source: SettableSvidSource;
  readonly log: Entry[];
  readonly registry: Registry;
}

/** Callers, mTLS ends and apps on loopback, fed with native resources as the control plane would. */
export class Planes {
  readonly pki = new MeshPki();
  readonly sockets = new TestSockets();
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];

  node(cluster: string, namespace: string, serviceAccount: string, limits: DataPlaneLimits = defaultLimits): Node {
    const log: Entry[] = [];
    const state = new StateStore();
    const source = this.pki.source(cluster, namespace, serviceAccount);
    const registry = new Registry();
    const context: DataPlaneContext = {
      state,
      identity: source,
      clock: systemClock,
      random: () => 0,
      limits,
      metrics: registry,
      accessLog: (entry) => log.push(entry),
      node: { cluster, instance: `${serviceAccount}-1` },
    };
    return { context, state, source, log, registry };
  }

  /** A plain HTTP app. */
  async app(listener: RequestListener): Promise<{ server: Server; port: number }> {
    const server = createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { server, port: (server.address() as AddressInfo).port };
  }

  /** The mTLS end of `orders` in front of `appPort`, and the endpoint by which callers reach it. */
  async end(appPort: number, protocol: Protocol = 'http', node = this.node('east', 'shop', 'orders')) {
    const inbound = createInbound(node.context);
    this.#closers.push(() => inbound.dispose());
    inbound.serve([{ namespace: 'shop', service: 'orders', hosts: [host], port: 80, protocol, appPort }]);
    if (node.state.current.authz.size === 0) put(node.state, allowEverybody);
    const { port } = await inbound.listen({ address: '127.0.0.1', port: 0 });
    return { inbound, port, node, endpoint: this.endpoint(port, node.source) };
  }

  endpoint(port: number, of: SettableSvidSource, more: Partial<native.Endpoint> = {}): native.Endpoint {
    const { spiffeId, cluster } = of.current();
    const tls = { sni, uriSans: [formatSpiffeId(spiffeId)], clusterSan: clusterSan(cluster, this.pki.trustDomain) };
    return Endpoint.fromPartial({ address: '127.0.0.1', port, weight: 1, cluster, instance: `i${port}`, runtime: 'vm', tls, ...more });
  }

  /** A caller's outbound port to `orders`, which speaks `protocol` to the endpoints as well. */
  async caller(endpoints: readonly native.Endpoint[], protocol: Protocol = 'http', node = this.node('west', 'web', 'front')) {
    const outbound = createOutbound(node.context);
    this.#closers.push(() => outbound.dispose());
    put(node.state, { cluster: clusterName, protocol }, { endpoints });
    const { port } = await outbound.listen({ address: '127.0.0.1', port: 0, clusterName, protocol });
    return { outbound, port, node };
  }

  async close(): Promise<void> {
    this.sockets.close();
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

type Resource =
  | { readonly cluster: string; readonly protocol: Protocol }
  | { readonly endpoints: readonly native.Endpoint[] }
  | { readonly authz: native.Authz };

const allowEverybody: Resource = { authz: Authz.fromPartial({ name: 'shop/orders', rules: [{ action: 1, name: 'everybody' }] }) };

const wireProtocols: Readonly<Record<Protocol, WireProtocol>> = {
  tcp: WireProtocol.TCP,
  http: WireProtocol.HTTP,
  http2: WireProtocol.HTTP2,
  grpc: WireProtocol.GRPC,
  tls: WireProtocol.TLS,
};

let version = 0;

/** What the control plane would send; fails when the data plane would NACK it. */
export function put(state: StateStore, ...resources: readonly Resource[]): void {
  for (const resource of resources) {
    const [typeUrl, name, value] = encode(resource);
    version += 1;
    const rejections = state.apply({ typeUrl, changed: [{ name, version: String(version), any: { typeUrl, value } }], removed: [] });
    if (rejections.length > 0) throw new Error(JSON.stringify(rejections));
  }
}

function encode(resource: Resource): [typeUrl: string, name: string, value: Buffer] {
  if ('cluster' in resource) {
    const protocol = wireProtocols[resource.protocol];
    const message = Cluster.fromPartial({ name: resource.cluster, host, namespace: 'shop', service: 'orders', port: 80, protocol });
    return [nativeTypeUrls.cluster, resource.cluster, Buffer.from(Cluster.encode(message).finish())];
  }
  if ('endpoints' in resource) {
    const message = LoadAssignment.fromPartial({ clusterName, endpoints: [...resource.endpoints] });
    return [nativeTypeUrls.loadAssignment, clusterName, Buffer.from(LoadAssignment.encode(message).finish())];
  }
  return [nativeTypeUrls.authz, resource.authz.name, Buffer.from(Authz.encode(resource.authz).finish())];
}

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

/** One request on a connection of its own. Rejects when it breaks off. */
export async function call(
  port: number,
  options: { method?: string; path?: string; headers?: Record<string, string | string[]>; body?: string | Buffer } = {},
): Promise<Answer> {
  const sent = request({
    host: '127.0.0.1',
    port,
    agent: false,
    method: options.method ?? 'GET',
    path: options.path ?? '/',
    headers: { host, ...options.headers },
  });
  // A break after the head is the response's to say.
  sent.on('error', () => {});
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    trailers: response.trailers,
    body: Buffer.concat(chunks).toString(),
  };
}
