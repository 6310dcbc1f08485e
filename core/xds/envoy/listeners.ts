import type { Protocol } from '../../model/index.ts';
import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { type Filter, FilterChain, ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { TlsInspector } from '../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts';
import { duration, packed } from './any.ts';
import type { Authorization } from './authorization.ts';
import { alpnOf, isHttp } from './clusters.ts';
import { cidrRange, socketAddress } from './endpoints.ts';
import { httpFilters, tcpFilters } from './filters.ts';
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
  /** Whether a request that failed may go to another endpoint of the cluster. */
  readonly retries: boolean;
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

export function mtlsChain(listener: string, end: MtlsEnd): FilterChain {
  const { serverNames, cluster, authorization } = end;
  return FilterChain.create({
    name: cluster,
    filterChainMatch: { serverNames: [...serverNames], transportProtocol: 'tls' },
    transportSocket: downstreamTls(alpnOf(end.protocol)),
    transportSocketConnectTimeout: duration(proxyLimits.handshakeTimeoutMs),
    filters: serviceFilters(listener, 'inbound', end.protocol, cluster, end.retries, authorization),
  });
}

/** A local address that stands for one service port. */
export function outboundListener(name: string, at: ListenAt, target: { protocol: Protocol; cluster: string }): Listener {
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    filterChains: [{ filters: serviceFilters(name, 'outbound', target.protocol, target.cluster, true) }],
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
  const filters = serviceFilters(name, 'originate', target.protocol, target.cluster, true);
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    filterChains: [{ filterChainMatch: { directSourcePrefixRanges: allowed.length === 0 ? nobody : allowed }, filters }],
  });
}

/** `direction`: begins the names of its statistics. */
function serviceFilters(
  listener: string,
  direction: string,
  protocol: Protocol,
  cluster: string,
  retries: boolean,
  authorization?: Authorization,
): Filter[] {
  const who = authorization === undefined ? {} : { authorization };
  if (!isHttp(protocol)) return tcpFilters({ listener, statPrefix: direction, cluster, ...who });
  const routes = routeConfiguration(cluster, [{ name: cluster, domains: ['*'], cluster, retries }]);
  return httpFilters({ listener, statPrefix: direction, routes, ...who });
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
