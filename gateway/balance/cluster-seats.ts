import type { Clock } from '../../core/clock.ts';
import type { ClusterTable } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import { buildPlan, type Host, type Plan, type Seat } from './plan.ts';
import { PoolTables } from './pool-tables.ts';

/** Where they stand is worth keeping, but not for ever. */
const maxLocalities = 256;

/** What one balancer knows of one cluster: its endpoints' seats, and the plan while it holds. */
export class ClusterSeats {
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #hostOf = new WeakMap<EndpointState, Host>();
  readonly tables = new PoolTables();
  #hosts: ReadonlyMap<string, Seat> = new Map();
  readonly #localities = new Map<string, Seat>();
  #observed: ClusterTable | undefined;
  #begun = false;
  #plan: { readonly ejected: ReadonlySet<string>; readonly plan: Plan } | undefined;

  constructor(random: () => number, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  /** Undefined: not an endpoint of the table that was observed last. */
  seatOf(endpoint: EndpointState): Seat | undefined {
    return this.#hostOf.get(endpoint)?.seat;
  }

  /** The same object while neither the cluster nor the set of ejections is another. */
  planOf(cluster: ClusterTable, ejected: ReadonlySet<string>): Plan {
    this.observe(cluster);
    if (this.#plan?.ejected === ejected) return this.#plan.plan;
    const plan = buildPlan(cluster, ejected, {
      host: (endpoint) => this.#hostOf.get(endpoint) as Host,
      locality: (priority, locality) => this.#locality(`${priority} ${locality}`),
    });
    this.#plan = { ejected, plan };
    return plan;
  }

  /** Gives seats to endpoints that are new, and takes those of who has gone. What was there first, in the first assignment, is warm. */
  observe(cluster: ClusterTable): void {
    if (this.#observed === cluster) return;
    const policy = cluster.traffic?.loadBalancer;
    const warms = this.#begun && policy !== undefined && policy.type !== 'hash' && policy.warmup !== undefined;
    const since = warms ? this.#clock.monotonic() : undefined;
    const seats = new Map<string, Seat>();
    for (const endpoint of cluster.endpoints) {
      const key = keyOf(endpoint);
      const seat = seats.get(key) ?? this.#hosts.get(key) ?? { standing: this.#random() * endpoint.weight, active: 0, since };
      seats.set(key, seat);
      this.#hostOf.set(endpoint, { endpoint, key, seat, weight: endpoint.weight });
    }
    this.#hosts = seats;
    this.#begun ||= cluster.endpoints.length > 0;
    this.#observed = cluster;
    this.#plan = undefined;
    if (this.#localities.size > maxLocalities) this.#localities.clear();
  }

  #locality(key: string): Seat {
    let seat = this.#localities.get(key);
    if (seat === undefined) {
      seat = { standing: this.#random(), active: 0, since: undefined };
      this.#localities.set(key, seat);
    }
    return seat;
  }
}

/** Names an endpoint from one assignment to the next, in every proxy alike. */
function keyOf({ address, port, tls, instance }: EndpointState): string {
  return `${address}:${port} ${tls?.sni ?? ''} ${instance}`;
}
