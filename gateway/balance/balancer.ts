import type { Clock } from '../../core/clock.ts';
import type { LoadBalancer } from '../../core/traffic/index.ts';
import type { ClusterTable } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import { ClusterSeats } from './cluster-seats.ts';
import type { PickContext } from './contract.ts';
import { hash32 } from './hash.ts';
import type { Host, Pool } from './plan.ts';
import { drawWeighted, rotate } from './rotate.ts';
import { warmupFactor } from './warmup.ts';

const roundRobin: LoadBalancer = { type: 'round-robin' };
/** So that which priority a key goes to says nothing about where in that priority's table it falls. */
const prioritySeed = 0x5bd1e995;

/**
 * Picks endpoints as Envoy does: a priority by its share of the load, in it a locality by its weight, in that an endpoint by the
 * cluster's policy. Unless said otherwise that is smooth weighted round robin and not weighted random, because consecutive picks
 * then differ: a retry through the same gateway reaches another backend, and shares are exact over a handful of connections,
 * which is all that most services ever see. Where each rotation starts is random, so that proxies that start together do not
 * all begin with the same endpoint.
 *
 * One balancer belongs to one engine or forwarder. It remembers where rotations stand, how many requests run at each endpoint,
 * and since when it knows it.
 */
export class Balancer {
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #clusters = new Map<string, ClusterSeats>();

  constructor(random: () => number, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  /**
   * `exclude`: endpoints that this connection or request has tried; their shares go to the others. When only ejected ones are
   * left they are used: a wrong suspicion must not turn into an outage. Undefined: none at all.
   */
  pick(
    cluster: ClusterTable,
    ejected: ReadonlySet<string>,
    exclude: ReadonlySet<EndpointState>,
    context: PickContext = {},
  ): EndpointState | undefined {
    const seats = this.#seatsOf(cluster);
    const plan = seats.planOf(cluster, ejected);
    const policy = cluster.traffic?.loadBalancer ?? roundRobin;
    const isLeft = ({ endpoint }: Host) => !exclude.has(endpoint);
    const open = exclude.size === 0 ? plan.pools : plan.pools.filter((pool) => pool.localities.some((l) => l.hosts.some(isLeft)));
    const pool = this.#poolOf(open, policy.type === 'hash' ? context.hash : undefined);
    if (pool !== undefined && policy.type === 'hash') {
      const hash = context.hash === undefined ? Math.floor(this.#random() * 2 ** 32) : hash32(context.hash);
      return seats.tables.lookup(pool, policy, hash, exclude.size === 0 ? undefined : (host) => !isLeft(host))?.endpoint;
    }
    if (pool !== undefined) return this.#within(pool, policy, exclude)?.endpoint;
    for (const hosts of context.soundOnly === true ? plan.spare : [...plan.spare, ...plan.suspects]) {
      const left = hosts.filter(isLeft);
      if (left.length > 0) return this.#among(left, policy)?.endpoint;
    }
    return undefined;
  }

  /** It was away, and takes its share again little by little: connections that led to it are gone. */
  isReturning({ name }: ClusterTable, endpoint: EndpointState): boolean {
    return this.#clusters.get(name)?.isReturning(endpoint) === true;
  }

  /** A request runs at an endpoint that was picked; the returned function, idempotent, says that it has ended. Least-request counts them. */
  hold(cluster: ClusterTable, endpoint: EndpointState): () => void {
    const seat = this.#clusters.get(cluster.name)?.seatOf(endpoint);
    if (seat === undefined) return () => {};
    let held = true;
    seat.active += 1;
    return () => {
      if (held) seat.active -= 1;
      held = false;
    };
  }

  /** Forgets clusters that are gone; takes note of endpoints that are new, from which moment they warm up. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    for (const name of this.#clusters.keys()) if (!clusters.has(name)) this.#clusters.delete(name);
    for (const cluster of clusters.values()) if (warmupOf(cluster) !== undefined) this.#seatsOf(cluster).observe(cluster);
  }

  #seatsOf({ name }: ClusterTable): ClusterSeats {
    let seats = this.#clusters.get(name);
    if (seats === undefined) {
      seats = new ClusterSeats(this.#random, this.#clock);
      this.#clusters.set(name, seats);
    }
    return seats;
  }

  #poolOf(pools: readonly Pool[], key: string | undefined): Pool | undefined {
    if (pools.length <= 1) return pools[0];
    return drawWeighted(pools, ({ load }) => load, key === undefined ? this.#random() : hash32(key, prioritySeed) / 2 ** 32);
  }

  #within(pool: Pool, policy: LoadBalancer, exclude: ReadonlySet<EndpointState>): Host | undefined {
    const isLeft = ({ endpoint }: Host) => !exclude.has(endpoint);
    const open = exclude.size === 0 ? pool.localities : pool.localities.filter(({ hosts }) => hosts.some(isLeft));
    const locality = open.length === 1 ? open[0] : rotate(open, ({ weight }) => weight);
    if (locality === undefined) return undefined;
    return this.#among(exclude.size === 0 ? locality.hosts : locality.hosts.filter(isLeft), policy);
  }

  #among(hosts: readonly Host[], policy: LoadBalancer): Host | undefined {
    if (hosts.length === 1) return hosts[0];
    const weightOf = this.#weighing(hosts, policy);
    switch (policy.type) {
      case 'least-request': {
        if (weightOf === undefined) return this.#lessBusy(hosts);
        return rotate(hosts, (host) => weightOf(host) / (host.seat.active + 1));
      }
      case 'random':
      case 'hash':
        return drawWeighted(hosts, weightOf ?? weightAlone, this.#random());
      case 'round-robin':
        return rotate(hosts, weightOf ?? weightAlone);
    }
  }

  /** Two choices among equals. */
  #lessBusy(hosts: readonly Host[]): Host | undefined {
    const draw = () => hosts[Math.floor(this.#random() * hosts.length)] as Host;
    const [one, other] = [draw(), draw()];
    return other.seat.active < one.seat.active ? other : one;
  }

  /** Undefined: all weigh the same, and nobody is warming up. */
  #weighing(hosts: readonly Host[], policy: LoadBalancer): ((host: Host) => number) | undefined {
    const warmup = policy.type === 'hash' ? undefined : policy.warmup;
    if (warmup !== undefined && hosts.some(({ seat }) => seat.since !== undefined)) {
      const now = this.#clock.monotonic();
      for (const { seat } of hosts) if (seat.since !== undefined && now - seat.since >= warmup.durationMs) seat.since = undefined;
      return ({ weight, seat }) => (seat.since === undefined ? weight : weight * warmupFactor(warmup, now - seat.since));
    }
    const [first] = hosts;
    return policy.type !== 'least-request' || hosts.some(({ weight }) => weight !== first?.weight) ? weightAlone : undefined;
  }
}

function weightAlone({ weight }: Host): number {
  return weight;
}

function warmupOf({ traffic }: ClusterTable) {
  const policy = traffic?.loadBalancer;
  return policy === undefined || policy.type === 'hash' ? undefined : policy.warmup;
}
