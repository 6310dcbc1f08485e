import type { AttemptFailure, ClusterTable } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import type { Balancer } from './balancer.ts';
import type { PickContext } from './contract.ts';

export interface AttemptsContext extends Pick<PickContext, 'hash'> {
  /** Tries after the first prefer localities that were not tried yet. */
  readonly otherLocalities?: boolean;
  /**
   * `last`: who was tried is tried again when nobody else is left; `broken-off`: so is who was reached and broke off, alone. `always`: like
   * anybody else. Default: only gateways, see below.
   */
  readonly revisit?: 'last' | 'broken-off' | 'always';
  /** A connection to the endpoint is free; asked where one has returned, and begins one if not. Absent: whoever it is connects. */
  readonly isReady?: (endpoint: EndpointState) => boolean;
}

/**
 * The endpoints that one connection or request tries, each once. A gateway behind which something failed may be asked again
 * when nobody else is left, because it then picks another of its backends; one that refused the connection may not.
 */
export class Attempts {
  readonly #balancer: Balancer;
  readonly #cluster: ClusterTable;
  readonly #max: number;
  readonly #context: AttemptsContext;
  readonly #tried = new Set<EndpointState>();
  readonly #refused = new Set<EndpointState>();
  #count = 0;
  #release: (() => void) | undefined;

  constructor(balancer: Balancer, cluster: ClusterTable, max: number, context: AttemptsContext = {}) {
    this.#balancer = balancer;
    this.#cluster = cluster;
    this.#max = max;
    this.#context = context;
  }

  get count(): number {
    return this.#count;
  }

  /** Ends the attempt before, and begins one. Undefined: no attempts or no endpoints left. */
  next(ejected: ReadonlySet<string>): EndpointState | undefined {
    this.end();
    if (this.#count >= this.#max) return undefined;
    const endpoint = this.#elsewhere(ejected) ?? this.#pickReady(ejected) ?? this.#again(ejected);
    if (endpoint === undefined) return undefined;
    this.#count += 1;
    if (this.#context.revisit !== 'always') this.#tried.add(endpoint);
    this.#release = this.#balancer.hold(this.#cluster, endpoint);
    return endpoint;
  }

  failed(endpoint: EndpointState, failure: AttemptFailure): void {
    const brokeOff = failure === 'early-close' && this.#context.revisit === 'broken-off';
    if (failure === 'connect' || failure === 'shortage' || !(endpoint.viaGateway || brokeOff)) this.#refused.add(endpoint);
  }

  /** The connection or request is over, however; until then it counts as one that runs at its endpoint. Idempotent. */
  end(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #pick(ejected: ReadonlySet<string>, exclude: ReadonlySet<EndpointState>, soundOnly = false): EndpointState | undefined {
    const { hash } = this.#context;
    return this.#balancer.pick(this.#cluster, ejected, exclude, { soundOnly, ...(hash === undefined ? {} : { hash }) });
  }

  /** Nobody waits for a handshake with one that has just returned, while others are there. */
  #pickReady(ejected: ReadonlySet<string>): EndpointState | undefined {
    const first = this.#pick(ejected, this.#tried);
    const { isReady } = this.#context;
    if (isReady === undefined || this.#cluster.endpoints.length === 1) return first;
    const exclude = new Set(this.#tried);
    for (let each = first; each !== undefined; each = this.#pick(ejected, exclude, true)) {
      if (!this.#balancer.isReturning(this.#cluster, each) || isReady(each)) return each;
      exclude.add(each);
    }
    return first;
  }

  #elsewhere(ejected: ReadonlySet<string>): EndpointState | undefined {
    if (this.#context.otherLocalities !== true || this.#count === 0) return undefined;
    const localities = new Set([...this.#tried].map(({ locality }) => locality));
    const exclude = new Set(this.#cluster.endpoints.filter((each) => this.#tried.has(each) || localities.has(each.locality)));
    return this.#pick(ejected, exclude, true);
  }

  #again(ejected: ReadonlySet<string>): EndpointState | undefined {
    if (this.#count === 0) return undefined;
    const left = this.#pick(ejected, this.#refused);
    if (left !== undefined || this.#context.revisit !== 'last') return left;
    this.#tried.clear();
    return this.#pick(ejected, this.#tried);
  }
}
