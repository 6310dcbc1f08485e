import type { AccessLogging } from '../../access-log/index.ts';
import type { MtlsMode } from '../../authz/index.ts';
import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { type Filter, FilterChain, FilterChainMatch } from '../gen/envoy/config/listener/v3/listener_components.ts';
import type { ListenerLog } from './access-log.ts';
import { duration } from './any.ts';
import { isHttp } from './clusters.ts';
import { tcpProxy } from './filters.ts';
import { type ExposedEnd, inspectTls, type ListenAt, listenerBase, mtlsChain, plainFilters } from './listeners.ts';

/** Never the name of an xDS cluster. */
const nowhere = 'plaintext-refused';

/** As our own proxy waits for a byte stream's first byte before it takes it for one whose server speaks first, ms. */
const quietMs = 1_000;

/**
 * A service's own port, for callers with and without mesh: mTLS that asks for the service by a name of the mesh, and bytes in the clear, as far
 * as its mode takes them. Where mTLS is disabled nothing is looked at. What is refused is logged with the reason.
 */
export function exposedListener(name: string, at: ListenAt, end: ExposedEnd, mode: MtlsMode, logging?: AccessLogging): Listener {
  const log = { name, logging };
  const base = listenerBase(name, at, TrafficDirection.INBOUND);
  if (mode === 'disable') return Listener.create({ ...base, filterChains: [chain('plaintext', {}, plainFilters(log, end))] });
  const mtls = { ...mtlsChain(log, end), name: 'mtls' };
  if (mode === 'strict') {
    return Listener.create({ ...base, ...inspectTls, filterChains: [mtls, chain('plaintext-refused', {}, refuse(log, end, strict))] });
  }
  const plain = plainFilters(log, end);
  const chains = isHttp(end.protocol)
    ? [chain('plaintext', { transportProtocol: 'raw_buffer' }, plain), chain('foreign-tls', {}, refuse(log, end, foreign))]
    : [chain('plaintext', {}, plain)];
  return Listener.create({
    ...base,
    ...inspectTls,
    ...(isHttp(end.protocol) ? {} : { listenerFiltersTimeout: duration(quietMs), continueOnListenerFiltersTimeout: true }),
    filterChains: [mtls, ...chains],
  });
}

const strict = 'plaintext-refused: the service takes mTLS alone (PeerAuthentication STRICT)';
const foreign = 'foreign-tls: TLS that asks for nobody of the mesh, at a port that speaks HTTP';

function chain(name: string, match: Partial<FilterChainMatch>, filters: Filter[]): FilterChain {
  return FilterChain.create({ name, filterChainMatch: FilterChainMatch.create(match), filters });
}

/** Closed as soon as it comes, and counted. */
function refuse(listener: ListenerLog, { cluster }: ExposedEnd, reason: string): Filter[] {
  const marks = { refused: reason };
  return [tcpProxy({ listener, statPrefix: 'refused', cluster: nowhere, counted: 'mtls-end', marks, refused: cluster })];
}
