/** One port for people outside the mesh. */
export interface IngressRule {
  /** At most one of them is `plain`: it takes what is no TLS. Of those that have one server name, the first. */
  readonly ends: readonly IngressEnd[];
}

export interface IngressEnd {
  /** Unique in its listener; for logs. */
  readonly name: string;
  /** In the clear, TLS that ends here, or TLS that goes through by its server name. */
  readonly mode: 'plain' | 'terminate' | 'passthrough';
  /** Server names: exact, `*.suffix` or `*`, in lower case. Empty: any, and clients that name nobody. Nothing for `plain`. */
  readonly hosts: readonly string[];
  /** Where it leads: requests by virtual host, bytes by L4 rule. */
  readonly routingName: string;
  readonly protocol: 'http' | 'tcp';
  /** For `terminate`; absent: there is no certificate that could be used, so handshakes are broken off. */
  readonly tls?: IngressTls;
}

/** Equal content is the same object: what an engine makes of it is kept by it. */
export interface IngressTls {
  /** Leaf first. */
  readonly certPem: string;
  readonly keyPem: string;
  /** Who may sign clients' certificates: without one they are let in where `optional`. Absent: none is asked for. */
  readonly clients?: { readonly caPem: string; readonly optional: boolean };
  readonly minVersion: '1.2' | '1.3';
  /** Preferred first. Who offers none of them is served without. */
  readonly alpn: readonly string[];
}
