import type { ClusterTable } from '../engine/contract.ts';

export type ConnectionLimit = 'connections' | 'pending';

interface Standing {
  connections: number;
  pending: number;
}

const nothing = () => {};

/**
 * How many connections of each cluster stand or are being opened, and how many requests wait for one, held to its
 * ConnectionLimits as Envoy's circuit breakers of the default priority are. What is let in is let go by the function
 * returned, which is idempotent. Undefined: no more of them, and that was counted.
 */
export class ConnectionBreakers {
  readonly #standing = new Map<string, Standing>();
  readonly #onOverflow: (clusterName: string, limit: ConnectionLimit) => void;

  constructor(onOverflow: (clusterName: string, limit: ConnectionLimit) => void) {
    this.#onOverflow = onOverflow;
  }

  /** `always`: counts, but is let in beyond the limit: an endpoint without any connection could otherwise never serve what waits for it. */
  connect(cluster: ClusterTable | undefined, always: boolean): (() => void) | undefined {
    return this.#enter(cluster, 'connections', cluster?.traffic?.connections?.maxConnections, always);
  }

  wait(cluster: ClusterTable): (() => void) | undefined {
    return this.#enter(cluster, 'pending', cluster.traffic?.connections?.maxPendingRequests, false);
  }

  #enter(cluster: ClusterTable | undefined, what: ConnectionLimit, limit: number | undefined, always: boolean): (() => void) | undefined {
    if (cluster === undefined || limit === undefined) return nothing;
    const { name } = cluster;
    const standing = this.#standing.get(name) ?? { connections: 0, pending: 0 };
    if (standing[what] >= limit) {
      this.#onOverflow(name, what);
      if (!always) return undefined;
    }
    standing[what] += 1;
    this.#standing.set(name, standing);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      standing[what] -= 1;
      if (standing.connections === 0 && standing.pending === 0 && this.#standing.get(name) === standing) this.#standing.delete(name);
    };
  }
}
