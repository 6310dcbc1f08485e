import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { FilterChain } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { cidrRange } from './endpoints.ts';
import { tcpProxy } from './filters.ts';
import { type ListenAt, listenerBase } from './listeners.ts';
import { blackHoleClusterName, passthroughClusterName } from './names.ts';

/**
 * The port to which a packet filter leads connections. Envoy hands each on to the listener of where it was to go, which binds nothing
 * (`captured`); of others, those in `closed` lead nowhere and the rest goes on to where it was to go. Pure.
 */
export function captureListener(name: string, at: ListenAt, closed: readonly string[]): Listener {
  const to = (cluster: string) => [
    tcpProxy({ listener: { name, logging: undefined }, statPrefix: 'captured', cluster, counted: undefined }),
  ];
  return Listener.create({
    ...listenerBase(name, at, TrafficDirection.OUTBOUND),
    useOriginalDst: true,
    filterChains: [
      FilterChain.create({
        name: blackHoleClusterName,
        filterChainMatch: { prefixRanges: closed.flatMap((text) => cidrRange(text) ?? []) },
        filters: to(blackHoleClusterName),
      }),
    ],
    defaultFilterChain: FilterChain.create({ name: passthroughClusterName, filters: to(passthroughClusterName) }),
  });
}

/** The same listener, which binds nothing: its connections come through captureListener. Pure. */
export function captured(listener: Listener): Listener {
  return Listener.create({ ...listener, bindToPort: false });
}
