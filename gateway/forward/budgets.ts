import type { ClusterTable } from '../engine/index.ts';

interface Active {
  requests: number;
  retries: number;
}

/** Copies on their way at once; what comes on top is not mirrored. */
const maxCopies = 256;

const defaultBudget = { percent: 20, minRetries: 3 };

/**
 * How many requests and retries of each cluster run at once, held to its limits (ConnectionLimits, retryBudget). What `enter`
 * and `enterRetry` let in is to be let go with `leave`, `leaveRetry` and
 * `leaveCopy`.
 */
export class Budgets {
  readonly #active = new Map<string, Active>();
  #copies = 0;

  enter(cluster: ClusterTable): boolean {
    const active = this.#of(cluster.name);
    if (active.requests >= (cluster.traffic?.connections?.maxRequests ?? Number.POSITIVE_INFINITY)) return false;
    active.requests += 1;
    return true;
  }

  /** What runs nothing is kept, for the next request: `keepOnly` lets go of it. */
  leave({ name }: ClusterTable): void {
    this.#of(name).requests -= 1;
  }

  /** Forgets clusters that are gone and have nothing under way. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    for (const [name, { requests, retries }] of this.#active)
      if (requests === 0 && retries === 0 && !clusters.has(name)) this.#active.delete(name);
  }

  enterRetry({ name, traffic }: ClusterTable): boolean {
    const active = this.#of(name);
    const { percent, minRetries } = traffic?.retryBudget ?? defaultBudget;
    const most = traffic?.connections?.maxRetries ?? Math.max(minRetries, Math.floor((active.requests * percent) / 100));
    if (active.retries >= most) return false;
    active.retries += 1;
    return true;
  }

  leaveRetry({ name }: ClusterTable): void {
    this.#of(name).retries -= 1;
  }

  /** Of a request, to a mirror. */
  enterCopy(cluster: ClusterTable): boolean {
    if (this.#copies >= maxCopies || !this.enter(cluster)) return false;
    this.#copies += 1;
    return true;
  }

  leaveCopy(cluster: ClusterTable): void {
    this.#copies -= 1;
    this.leave(cluster);
  }

  #of(name: string): Active {
    let active = this.#active.get(name);
    if (active === undefined) {
      active = { requests: 0, retries: 0 };
      this.#active.set(name, active);
    }
    return active;
  }
}
