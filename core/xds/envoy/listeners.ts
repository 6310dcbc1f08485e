import type { AccessLogging } from '../../access-log/index.ts';
import { type Protocol, parseSniName } from '../../model/index.ts';
import type { ClusterTraffic } from '../../traffic/index.ts';
import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { type Filter, FilterChain, ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import type { RouteConfiguration } from '../gen/envoy/config/route/v3/route.ts';
import { TlsInspector } from '../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts';
import type { ListenerLog } from './access-log.ts';
import { duration, packed } from './any.ts';
import type { Authorization } from './authorization.ts';
import { anySubset } from './chain-matcher.ts';
import { alpnOf, isHttp } from './clusters.ts';
import { cidrRange, socketAddress } from './endpoints.ts';
import { httpFilters, tcpEndFilters, tcpPlainFilters, tcpProxy } from './filters.ts';
import { type L4Rules, l4Chains } from './l4-chains.ts';
import { proxyLimits } from './limits.ts';
import { noContext, plainRules, routeConfiguration } from './routes.ts';
import { shiftChains } from './shift-chains.ts';
import { downstreamTls } from './tls.ts';

export interface ListenAt {
  readonly address: string;
  readonly port: number;
}

/** A service port at the end of mTLS. */
export interface MtlsEnd {
  /** Every SNI that asks for it. */
  readonly serverNames: readonly string[];
  readonly protocol: Protocol;
  readonly cluster: string;
  /** The one application that the cluster (`appCluster`) stands for; absent where it has endpoints that come and go. */
  readonly app?: ListenAt;
  readonly authorization: Authorization;
  /** Requests do not say who called. */
  readonly nameless?: true;
}

/**
 * Where mTLS ends: one chain per service port, chosen by server name; anything else is closed. Undefined without any. `subsets`: what
 * callers behind a passthrough gateway may have asked for is in the server names, or not known, and then any of them is taken.
 */
export function inboundListener(
  name: string,
  at: ListenAt,
  ends: readonly MtlsEnd[],
  subsets: 'named' | 'any' = 'named',
  logging?: AccessLogging,
): Listener | undefined {
  if (ends.length === 0) return undefined;
  const log = { name, logging };
  if (subsets === 'any') {
    return Listener.create({
      ...listenerBase(name, at, TrafficDirection.INBOUND),
      ...inspectTls,
      filterChains: ends.map((end) => ({ ...mtlsChain(log, end), filterChainMatch: undefined })),
      filterChainMatcher: anySubset(ends.map(({ cluster, serverNames }) => ({ name: cluster, serverNames }))),
    });
  }
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.INBOUND),
    ...inspectTls,
    filterChains: ends.map((end) => mtlsChain(log, end)),
  });
}

/** Whether it needs internalHopListener and internalHopCluster beside it. */
export function needsInternalHop({ protocol, app }: MtlsEnd): boolean {
  return !isHttp(protocol) && app === undefined;
}

export function mtlsChain(listener: ListenerLog, end: MtlsEnd): FilterChain {
  const { serverNames, cluster } = end;
  return FilterChain.create({
    name: cluster,
    filterChainMatch: { serverNames: [...serverNames], transportProtocol: 'tls' },
    // Who reaches an HTTP/1.1 port over HTTP/2 asks for that alone (h2Upgrade).
    transportSocket: downstreamTls(end.protocol === 'http' ? ['http/1.1', 'h2'] : alpnOf(end.protocol)),
    transportSocketConnectTimeout: duration(proxyLimits.handshakeTimeoutMs),
    filters: endFilters(listener, end),
  });
}

/** Where callers of one service port are led. */
export interface CallerTarget {
  readonly protocol: Protocol;
  readonly cluster: string;
  /** Of the xDS cluster. */
  readonly traffic?: ClusterTraffic;
  /** For HTTP a configuration or the name of one that comes over ADS, for the rest the rules; absent: all to `cluster`. */
  readonly routes?: string | RouteConfiguration | L4Rules;
}

/** A local address that stands for one service port. */
export function outboundListener(name: string, at: ListenAt, target: CallerTarget, logging?: AccessLogging): Listener {
  const { protocol, routes, traffic } = target;
  // Nobody is told apart there by who calls or what is asked for: the matcher stands in the place of all that chains say themselves.
  if (!isHttp(protocol) && routes !== undefined && isL4(routes)) {
    const shifted = shiftChains(routes, { listener: { name, logging }, statPrefix: 'outbound', traffic });
    if (shifted !== undefined) return Listener.create({ ...listenerBase(name, at, TrafficDirection.OUTBOUND), ...shifted });
  }
  return Listener.create({ ...listenerBase(name, at, TrafficDirection.OUTBOUND), ...callerChains({ name, logging }, 'outbound', target) });
}

/** One address for many services, by Host; `routes` names a configuration that comes over ADS. */
export function httpListener(name: string, at: ListenAt, routes: string, logging?: AccessLogging): Listener {
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    filterChains: [{ filters: httpFilters({ listener: { name, logging }, statPrefix: 'outbound', routes }) }],
  });
}

/** A gateway port of one imported service, for callers without a sidecar. Without any CIDR nobody is taken. */
export function originateListener(
  name: string,
  at: ListenAt,
  target: CallerTarget & { allowedCidrs: readonly string[] },
  logging?: AccessLogging,
): Listener {
  const allowed = target.allowedCidrs.flatMap((text) => cidrRange(text) ?? []);
  // An empty list would match everybody; no connection comes from here.
  const nobody = [{ addressPrefix: '255.255.255.255', prefixLen: 32 }];
  const directSourcePrefixRanges = allowed.length === 0 ? nobody : allowed;
  const { filterChains, ...more } = callerChains({ name, logging }, 'originate', target);
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    ...more,
    filterChains: filterChains.map((chain) => ({ ...chain, filterChainMatch: { ...chain.filterChainMatch, directSourcePrefixRanges } })),
  });
}

function endFilters(listener: ListenerLog, { protocol, cluster, authorization: said, app, nameless, serverNames }: MtlsEnd): Filter[] {
  const port = parseSniName(serverNames[0] ?? '')?.port;
  const authorization = port === undefined ? said : { ...said, port };
  const common = { listener, statPrefix: 'inbound', authorization };
  if (!isHttp(protocol)) return tcpEndFilters({ ...common, cluster, ...(app === undefined ? {} : { app: hostPort(app) }) });
  // The one application is not asked twice: its caller may know another.
  return httpFilters({ ...common, routes: routesTo(cluster, app === undefined), nameless });
}

/** An end with its one application beside it. */
export type ExposedEnd = MtlsEnd & { readonly app: ListenAt };

/** Of callers in the clear at the same end: nobody has proven anything, and is told nothing that is for the mesh alone. */
export function plainFilters(listener: ListenerLog, { protocol, cluster, authorization: said, app, serverNames }: ExposedEnd): Filter[] {
  const port = parseSniName(serverNames[0] ?? '')?.port;
  const authorization = { ...said, deniedSerials: [], plaintext: true as const, ...(port === undefined ? {} : { port }) };
  const common = { listener, statPrefix: 'plaintext', authorization };
  if (isHttp(protocol)) return httpFilters({ ...common, routes: routesTo(cluster, false) });
  return tcpPlainFilters({ ...common, cluster, app: hostPort(app) });
}

function hostPort({ address, port }: ListenAt): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `statPrefix`: begins the names of its statistics. */
function callerChains(
  listener: ListenerLog,
  statPrefix: string,
  { protocol, cluster, traffic, routes }: CallerTarget,
): Partial<typeof inspectTls> & { readonly filterChains: FilterChain[] } {
  if (isHttp(protocol)) {
    const ruled = routes !== undefined && !isL4(routes);
    const filters = httpFilters({ listener, statPrefix, routes: ruled ? routes : routesTo(cluster, true, traffic), ruled });
    return { filterChains: [FilterChain.create({ filters })] };
  }
  if (routes === undefined || !isL4(routes)) {
    return { filterChains: [FilterChain.create({ filters: [tcpProxy({ listener, statPrefix, cluster, traffic, counted: 'caller' })] })] };
  }
  const filterChains = l4Chains(routes, { listener, statPrefix, traffic });
  return { filterChains, ...(filterChains.some((chain) => chain.filterChainMatch?.serverNames?.length) ? inspectTls : {}) };
}

function isL4(routes: NonNullable<CallerTarget['routes']>): routes is L4Rules {
  return typeof routes !== 'string' && 'l4' in routes;
}

function routesTo(cluster: string, retries: boolean, traffic?: ClusterTraffic): RouteConfiguration {
  const { loadBalancer } = traffic ?? {};
  const hashOn = () => (loadBalancer?.type === 'hash' ? loadBalancer.on : undefined);
  return routeConfiguration(cluster, [{ name: cluster, domains: ['*'], rules: plainRules(cluster), retries }], { ...noContext, hashOn });
}

/** The buffer is also what a request may hold to be sent again. */
export function listenerBase(name: string, at: ListenAt, trafficDirection: TrafficDirection) {
  const address = socketAddress(at.address, at.port);
  return { name, address, trafficDirection, perConnectionBufferLimitBytes: proxyLimits.maxReplayBytes };
}

/** Whoever does not send a whole ClientHello in time is closed, not guessed at. */
export const inspectTls = {
  listenerFilters: [
    ListenerFilter.create({
      name: 'envoy.filters.listener.tls_inspector',
      configType: {
        $case: 'typedConfig',
        value: packed('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', TlsInspector, TlsInspector.create()),
      },
    }),
  ],
  listenerFiltersTimeout: duration(proxyLimits.helloTimeoutMs),
};
