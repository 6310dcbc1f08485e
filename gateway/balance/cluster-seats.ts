import type { Clock } from '../../core/clock.ts';
import { type ClusterTable, ejectionKey } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import { buildPlan, type Host, type Plan, type Seat } from './plan.ts';
import { PoolTables } from './pool-tables.ts';
import { returnOf, warmupFactor } from './warmup.ts';

/** Where they stand is worth keeping, but not for ever. */
const maxLocalities = 256;
/** Who has gone may come back, and is then not new. */
const maxDeparted = 256;
/** Shares of those that return grow so often. */
const stepMs = 250;

/** What one balancer knows of one cluster: its endpoints' seats, and the plan while it holds. */
export class ClusterSeats {
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #hostOf = new WeakMap<EndpointState, Host>();
  readonly tables = new PoolTables();
  #hosts: ReadonlyMap<string, Seat> = new Map();
  /** Those that went last are last. */
  readonly #departed = new Map<string, Seat>();
  readonly #localities = new Map<string, Seat>();
  #observed: ClusterTable | undefined;
  #begun = false;
  /** `until`: monotonic ms. */
  #plan: { readonly ejected: ReadonlySet<string>; readonly plan: Plan; readonly until: number } | undefined;

  constructor(random: () => number, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  /** Undefined: not an endpoint of the table that was observed last. */
  seatOf(endpoint: EndpointState): Seat | undefined {
    return this.#hostOf.get(endpoint)?.seat;
  }

  /** The same object while neither the cluster nor the set of ejections is another, and nobody returns. */
  planOf(cluster: ClusterTable, ejected: ReadonlySet<string>): Plan {
    this.observe(cluster);
    const known = this.#plan;
    if (known?.ejected === ejected && (known.until === Number.POSITIVE_INFINITY || this.#clock.monotonic() < known.until))
      return known.plan;
    const now = this.#clock.monotonic();
    const returning = this.#noteAbsences(cluster, ejected, now);
    const plan = buildPlan(cluster, ejected, {
      host: (endpoint) => this.#hostOf.get(endpoint) as Host,
      locality: (priority, locality) => this.#locality(`${priority} ${locality}`),
      ready: (seat) => (seat.returning === undefined ? 1 : warmupFactor(seat.returning.by, now - seat.returning.since)),
    });
    this.#plan = { ejected, plan, until: returning ? now + stepMs : Number.POSITIVE_INFINITY };
    return plan;
  }

  /** It was away, and has not taken its whole share again. */
  isReturning(endpoint: EndpointState): boolean {
    return this.seatOf(endpoint)?.returning !== undefined;
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
      const seat = seats.get(key) ??
        this.#hosts.get(key) ??
        this.#departed.get(key) ?? { standing: this.#random() * endpoint.weight, active: 0, since };
      seats.set(key, seat);
      this.#departed.delete(key);
      this.#hostOf.set(endpoint, { endpoint, key, seat, weight: endpoint.weight });
    }
    for (const [key, seat] of this.#hosts) if (!seats.has(key)) this.#depart(key, seat);
    this.#hosts = seats;
    this.#begun ||= cluster.endpoints.length > 0;
    this.#observed = cluster;
    this.#plan = undefined;
    if (this.#localities.size > maxLocalities) this.#localities.clear();
  }

  #depart(key: string, seat: Seat): void {
    seat.away ??= this.#clock.monotonic();
    this.#departed.set(key, seat);
    const [oldest] = this.#departed.keys();
    if (this.#departed.size > maxDeparted && oldest !== undefined) this.#departed.delete(oldest);
  }

  /** Who may not be used, for whatever reason, and who may again. True: somebody returns. By hash nobody does little by little: keys would move with each step. */
  #noteAbsences({ name, endpoints, traffic }: ClusterTable, ejected: ReadonlySet<string>, now: number): boolean {
    const policy = traffic?.loadBalancer;
    let any = false;
    for (const endpoint of endpoints) {
      const { seat } = this.#hostOf.get(endpoint) as Host;
      const away = endpoint.unhealthy === true || endpoint.draining || endpoint.stale;
      if (away || (ejected.size > 0 && ejected.has(ejectionKey(name, endpoint)))) {
        seat.away ??= now;
        seat.returning = undefined;
        continue;
      }
      if (seat.away !== undefined && policy?.type !== 'hash') {
        const by = returnOf(policy?.warmup, now - seat.away);
        seat.returning = by === undefined ? undefined : { since: now, by };
      }
      seat.away = undefined;
      if (seat.returning !== undefined && now - seat.returning.since >= seat.returning.by.durationMs) seat.returning = undefined;
      any ||= seat.returning !== undefined;
    }
    return any;
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
