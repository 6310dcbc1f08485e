import type { Protocol } from '../../model/index.ts';
import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { type Filter, FilterChain, ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import type { RouteConfiguration } from '../gen/envoy/config/route/v3/route.ts';
import { TlsInspector } from '../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts';
import { duration, packed } from './any.ts';
import type { Authorization } from './authorization.ts';
import { alpnOf, isHttp } from './clusters.ts';
import { cidrRange, socketAddress } from './endpoints.ts';
import { httpFilters, tcpEndFilters, tcpFilters } from './filters.ts';
import { proxyLimits } from './limits.ts';
import { routeConfiguration } from './routes.ts';
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
}

/** Where mTLS ends: one chain per service port, chosen by server name; anything else is closed. Undefined without any. */
export function inboundListener(name: string, at: ListenAt, ends: readonly MtlsEnd[]): Listener | undefined {
  if (ends.length === 0) return undefined;
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.INBOUND),
    ...inspectTls,
    filterChains: ends.map((end) => mtlsChain(name, end)),
  });
}

/** Whether it needs internalHopListener and internalHopCluster beside it. */
export function needsInternalHop({ protocol, app }: MtlsEnd): boolean {
  return !isHttp(protocol) && app === undefined;
}

export function mtlsChain(listener: string, end: MtlsEnd): FilterChain {
  const { serverNames, cluster } = end;
  return FilterChain.create({
    name: cluster,
    filterChainMatch: { serverNames: [...serverNames], transportProtocol: 'tls' },
    transportSocket: downstreamTls(alpnOf(end.protocol)),
    transportSocketConnectTimeout: duration(proxyLimits.handshakeTimeoutMs),
    filters: endFilters(listener, end),
  });
}

/** A local address that stands for one service port. */
export function outboundListener(name: string, at: ListenAt, target: { protocol: Protocol; cluster: string }): Listener {
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    filterChains: [{ filters: callerFilters(name, 'outbound', target) }],
  });
}

/** One address for many services, by Host; `routes` names a configuration that comes over ADS. */
export function httpListener(name: string, at: ListenAt, routes: string): Listener {
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    filterChains: [{ filters: httpFilters({ listener: name, statPrefix: 'outbound', routes }) }],
  });
}

/** A gateway port of one imported service, for callers without a sidecar. Without any CIDR nobody is taken. */
export function originateListener(
  name: string,
  at: ListenAt,
  target: { protocol: Protocol; cluster: string; allowedCidrs: readonly string[] },
): Listener {
  const allowed = target.allowedCidrs.flatMap((text) => cidrRange(text) ?? []);
  // An empty list would match everybody; no connection comes from here.
  const nobody = [{ addressPrefix: '255.255.255.255', prefixLen: 32 }];
  const filters = callerFilters(name, 'originate', target);
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    filterChains: [{ filterChainMatch: { directSourcePrefixRanges: allowed.length === 0 ? nobody : allowed }, filters }],
  });
}

function endFilters(listener: string, { protocol, cluster, authorization, app }: MtlsEnd): Filter[] {
  const common = { listener, statPrefix: 'inbound', authorization };
  if (!isHttp(protocol)) return tcpEndFilters({ ...common, cluster, ...(app === undefined ? {} : { app: hostPort(app) }) });
  // The one application is not asked twice: its caller may know another.
  return httpFilters({ ...common, routes: routesTo(cluster, app === undefined) });
}

function hostPort({ address, port }: ListenAt): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `statPrefix`: begins the names of its statistics. */
function callerFilters(listener: string, statPrefix: string, { protocol, cluster }: { protocol: Protocol; cluster: string }): Filter[] {
  if (!isHttp(protocol)) return tcpFilters({ listener, statPrefix, cluster });
  return httpFilters({ listener, statPrefix, routes: routesTo(cluster, true) });
}

function routesTo(cluster: string, retries: boolean): RouteConfiguration {
  return routeConfiguration(cluster, [{ name: cluster, domains: ['*'], cluster, retries }]);
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
