/** Who may begin a tunnel: the control plane's word, by the registration of that instance. */
export interface TunnelOffer {
  /** NAMESPACE~SERVICE-ACCOUNT~INSTANCE. */
  readonly instance: string;
  readonly uriSan: string;
  readonly clusterSan: string;
  /** Lower-case hex. */
  readonly secretSha256: string;
}

/** Names a tunnel's far end in one gateway: instances are unique in their cluster. */
export function tunnelKey({ clusterSan, instance }: Pick<TunnelOffer, 'clusterSan' | 'instance'>): string {
  return `${clusterSan.split('.')[0] ?? ''}/${instance}`;
}

/** A gateway that takes tunnels. */
export interface TunnelTarget {
  /** CLUSTER/INSTANCE. */
  readonly name: string;
  /** IPs; never empty. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly tls: { readonly uriSans: readonly string[]; readonly clusterSan: string };
  /** It takes none, and those that it has are to go elsewhere. */
  readonly draining: boolean;
}

/** One tunnel as status shows it. */
export interface TunnelStatus {
  /** Of the other end: CLUSTER/INSTANCE. */
  readonly peer: string;
  /** Its address, as seen from here. */
  readonly address: string;
  /** `connecting` and `waiting` of the side that dials; `leaving`: nothing new, what runs goes on. */
  readonly state: 'open' | 'leaving' | 'connecting' | 'waiting';
  /** Unix ms; absent while there is none. */
  readonly since?: number;
  readonly streams: number;
  /** Why there is none, or why the one before was lost. */
  readonly lastError?: string;
}
