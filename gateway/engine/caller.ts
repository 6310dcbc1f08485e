import { TLSSocket } from 'node:tls';
import type { EndpointState } from '../state/types.ts';
import type { CalledEndpoint } from './called-endpoint.ts';
import type { ClusterTable, ConnectionSource, PeerIdentity } from './contract.ts';

/** What is known of who called. */
export interface CalledBy {
  readonly id: string;
  readonly source: ConnectionSource;
  readonly destination: ConnectionSource;
  readonly peer?: PeerIdentity | undefined;
  readonly sni: string;
  readonly alpn?: string;
  /** As in DeliveredConnection. */
  readonly tlsVersion?: string;
  /** What the caller's bytes are read from. */
  readonly socket: unknown;
}

/** The endpoint itself where it is not to be told. */
export function calledBy(endpoint: EndpointState, { proxyProtocol }: Pick<ClusterTable, 'proxyProtocol'>, by: CalledBy): CalledEndpoint {
  if (proxyProtocol === undefined) return endpoint;
  const { id, source, destination, peer, sni, alpn = '', socket } = by;
  const version = by.tlsVersion ?? (socket instanceof TLSSocket ? socket.getProtocol() : null);
  const tls = peer === undefined || version === null ? {} : { tls: { version, name: peer.spiffeId } };
  return { ...endpoint, caller: { id, uniqueId: id, source, destination, authority: sni, alpn, ...tls } };
}
