/** Who is at the other end of a Unix socket, as the kernel saw it when they connected (unix(7), SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  /** Effective ids, in the user namespace of this process. */
  readonly uid: number;
  readonly gid: number;
}

/** One end of a TCP connection. IPv4 addresses are dotted, also where a socket shows them mapped into IPv6. */
export interface TcpEnd {
  readonly address: string;
  readonly port: number;
}

/** A TCP connection as one of its ends sees it. */
export interface TcpPair {
  readonly local: TcpEnd;
  readonly remote: TcpEnd;
}
