/** What one listener takes. */
export interface FrontLimits {
  /** Connections at once. Default 32,768: an agent holds two, one for xDS and one for the rest. */
  readonly connections: number;
  /** Of one source address. Default 256: a NAT may hide a site of VMs. */
  readonly connectionsPerSource: number;
  /** ms until a connection says its first word, and again until the end of its TLS handshake. Default 10 s. */
  readonly handshakeMs: number;
  /** TLS handshakes at once; who comes beyond that waits its turn. Default 64: a core does some hundred a second. */
  readonly handshakesAtOnce: number;
  /** ms that a connection without a client certificate may last: it is good for attesting, nothing else. Default 60 s. */
  readonly anonymousMs: number;
  /** Streams at once on one connection. Default 64. */
  readonly streams: number;
  /** Bytes of one received message. Default 4 MiB. */
  readonly messageBytes: number;
}

export const defaultFrontLimits: FrontLimits = {
  connections: 32_768,
  connectionsPerSource: 256,
  handshakeMs: 10_000,
  handshakesAtOnce: 64,
  anonymousMs: 60_000,
  streams: 64,
  messageBytes: 4 * 1024 * 1024,
};
