/** One port of one endpoint on the side that is left. */
export interface OldPlace {
  readonly cluster: string;
  /** As its source names it. */
  readonly instance: string;
  readonly network: string;
  readonly address: string;
  readonly port: number;
  /** Where its own agent takes mTLS for it: what counts then is who calls the program behind, past that agent. */
  readonly behindAgent?: { readonly namespace: string; readonly name: string };
  /** Its registry names it no more, which says nothing of who is still connected. */
  readonly gone?: true;
}

/** What agents are asked to look for; see SocketWatch of the registration API. Structurally what control/registration takes. */
export interface SocketTarget {
  readonly network: string;
  /** Of the agent that carries the service; absent: whoever is on the network. */
  readonly instance?: string;
  readonly watch: { readonly address: string; readonly port: number; readonly namespace: string; readonly name: string };
}

/** What one agent said last of one thing that it was asked to look for. */
export interface SocketSighting {
  /** As the source of VMs names it. */
  readonly instance: string;
  /** Proven when it registered. */
  readonly network: string;
  readonly addresses: readonly string[];
  readonly watch: SocketTarget['watch'];
  /** ms since the table was read, at most as far as is known here. */
  readonly ageMs: number;
  /** ms that it looks without a gap. */
  readonly watchingMs: number;
  /** Connections that end at its machine; else those that begin there. */
  readonly inbound: boolean;
  readonly listening: boolean;
  /** Why it sees nothing; empty: it sees. */
  readonly fault: string;
  /** Neither the agent's nor its Envoy's; kept for two minutes after the last connection. */
  readonly callers: readonly {
    readonly address: string;
    /** On the agent's own machine; empty: elsewhere. */
    readonly program: string;
    readonly connections: number;
    readonly idleMs: number;
  }[];
  readonly moreCallers: number;
  /** Of the agent, or of its Envoy. */
  readonly ownConnections: number;
}

/** Since when each place is quiet, between two looks. Kept by one leader and lost with it: then the bake begins again. */
export type DrainMemory = ReadonlyMap<
  string,
  { readonly quietSince: number; readonly lookedAt: number; readonly seenListening: boolean; readonly inUse: boolean }
>;
