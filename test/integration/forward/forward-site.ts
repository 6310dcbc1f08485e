import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import type { Protocol } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { ClusterRef, ClusterTraffic, HttpRule, Routing } from '../../../core/traffic/index.ts';
import { createOutbound, defaultLimits } from '../../../gateway/index.ts';
import { type DataPlaneState, type EndpointState, emptyState } from '../../../gateway/state/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';

export const host = 'orders.shop.mesh.internal';
const listenerCluster = `outbound|80||${host}`;
const pki = new MeshPki();

export interface SiteOptions {
  readonly routing?: Partial<Routing>;
  /** xDS cluster → ports of 127.0.0.1 where it answers, and how it is used. */
  readonly clusters: Readonly<Record<string, readonly number[] | { readonly ports: readonly number[]; readonly traffic: ClusterTraffic }>>;
  readonly protocol?: Protocol;
  readonly random?: () => number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** One outbound port whose routing is the test's. */
export async function startSite(t: TestContext, options: SiteOptions) {
  const log: Readonly<Record<string, unknown>>[] = [];
  const state = stateOf(options);
  const registry = new Registry();
  const outbound = createOutbound({
    state: { current: state, subscribe: () => () => {} },
    identity: pki.source('west', 'web', 'front'),
    clock: systemClock,
    random: options.random ?? (() => 0),
    limits: defaultLimits,
    metrics: registry,
    accessLog: (entry) => log.push(entry),
    node: { cluster: 'west', instance: 'front-1', labels: options.labels ?? {} },
  });
  onEnd(t, () => outbound.dispose());
  const { port } = await outbound.listen({
    address: '127.0.0.1',
    port: 0,
    clusterName: listenerCluster,
    protocol: options.protocol ?? 'http',
  });
  const metrics = () => registry.metrics();
  return { port, log, metrics, call: (path: string, more: CallOptions = {}) => call(port, path, more), drain: () => outbound.drain(5_000) };
}

function stateOf({ routing, clusters, protocol = 'http' }: SiteOptions): DataPlaneState {
  const port = { port: 80, name: 'main', protocol, clusterName: listenerCluster, ...(routing === undefined ? {} : { routingName: 'r' }) };
  const listener = { kind: 'service' as const, name: host, namespace: 'shop', service: 'orders', hosts: [host], ports: [port] };
  const facts = { host, namespace: 'shop', service: 'orders', port: 80, protocol, connectTimeoutMs: 1_000 };
  const all = Object.entries(clusters).map(([name, used]) =>
    'ports' in used ? { name, ...used } : { name, ports: used, traffic: undefined },
  );
  return {
    ...emptyState,
    listeners: new Map([[host, listener]]),
    clusters: new Map(all.map(({ name, traffic }) => [name, { ...facts, name, ...(traffic === undefined ? {} : { traffic }) }])),
    assignments: new Map(all.map(({ name, ports }) => [name, { clusterName: name, endpoints: ports.map(endpointAt) }])),
    routings: new Map(routing === undefined ? [] : [['r', { virtualHosts: [], l4: [], ...routing }]]),
  };
}

function endpointAt(port: number): EndpointState {
  const facts = { cluster: 'west', network: '', locality: '', runtime: 'vm', instance: `i${port}` };
  return { ...facts, address: '127.0.0.1', port, weight: 1, priority: 0, viaGateway: false, stale: false, draining: false };
}

/** A virtual host for every name, with these rules. */
export function rules(...list: readonly Partial<HttpRule<ClusterRef>>[]): Partial<Routing> {
  const whole = list.map((rule, i) => ({ name: `rule-${i}`, matches: [], action: to('a'), ...rule }));
  return { virtualHosts: [{ name: 'all', domains: ['*'], rules: whole }] };
}

/** The action that leads to clusters, with equal weights. */
export function to(...clusters: readonly string[]) {
  return { type: 'route' as const, destinations: clusters.map((cluster) => ({ destination: { cluster }, weight: 1 })), mirrors: [] };
}

export async function startApp(t: TestContext, listener: RequestListener): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Answers who it is and what it saw. */
export function startEcho(t: TestContext, name: string) {
  return startApp(t, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method, url, headers } = incoming;
      response.setHeader('x-app', name);
      response.end(JSON.stringify({ name, method, url, headers, body: Buffer.concat(chunks).toString() }));
    });
  });
}

/** Says its name to whoever connects. */
export async function startTcpApp(t: TestContext, name: string): Promise<number> {
  const server: TcpServer = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.end(name);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, () => void server.close());
  return (server.address() as AddressInfo).port;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of an echo. */
  readonly seen: {
    readonly name: string;
    readonly method: string;
    readonly url: string;
    readonly headers: Record<string, string>;
    readonly body: string;
  };
}

async function call(port: number, path: string, { method = 'GET', headers = {}, body }: CallOptions): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, agent: false, method, path, headers: { host, ...headers } });
  sent.on('error', () => {});
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: text,
    seen: text.startsWith('{') ? JSON.parse(text) : undefined,
  };
}
