import type { EndpointState } from '../state/types.ts';
import type { Balancer } from './balance.ts';
import type { AttemptFailure, ClusterTable } from './contract.ts';

/**
 * The endpoints that one connection or request tries, each once. A gateway behind which something failed may be asked again
 * when nobody else is left, because it then picks another of its backends; one that refused the connection may not.
 */
export class Attempts {
  readonly #balancer: Balancer;
  readonly #cluster: ClusterTable;
  readonly #max: number;
  readonly #tried = new Set<EndpointState>();
  readonly #refused = new Set<EndpointState>();
  #count = 0;

  constructor(balancer: Balancer, cluster: ClusterTable, max: number) {
    this.#balancer = balancer;
    this.#cluster = cluster;
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** Undefined: no attempts or no endpoints left. */
  next(ejected: ReadonlySet<string>): EndpointState | undefined {
    if (this.#count >= this.#max) return undefined;
    const endpoint = this.#balancer.pick(this.#cluster, ejected, this.#tried) ?? this.#again(ejected);
    if (endpoint === undefined) return undefined;
    this.#count += 1;
    this.#tried.add(endpoint);
    return endpoint;
  }

  failed(endpoint: EndpointState, failure: AttemptFailure): void {
    if (!endpoint.viaGateway || failure === 'connect') this.#refused.add(endpoint);
  }

  #again(ejected: ReadonlySet<string>): EndpointState | undefined {
    return this.#count === 0 ? undefined : this.#balancer.pick(this.#cluster, ejected, this.#refused);
  }
}
