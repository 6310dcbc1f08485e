import type { Clock } from '../../../core/clock.ts';
import { ClusterSeats } from '../../balance/cluster-seats.ts';
import type { Host, Plan } from '../../balance/plan.ts';
import { warmupFactor } from '../../balance/warmup.ts';
import type { EndpointState } from '../../state/types.ts';
import { type ClusterTable, ejectionKey } from '../contract.ts';
import type { NativeCluster, NativePlan } from './messages.ts';

/** Gives an endpoint a handle by which the engine names it in what it reports. */
export type Handle = (endpoint: EndpointState) => number;

/** One cluster as the engine was told of it last. TypeScript decides who is sound, local and warm; the engine follows the plan. */
export class EncodedCluster {
  readonly #clock: Clock;
  readonly #seats: ClusterSeats;
  #table: ClusterTable | undefined;
  #plan: Plan | undefined;
  #growing = false;

  constructor(random: () => number, clock: Clock) {
    this.#clock = clock;
    this.#seats = new ClusterSeats(random, clock);
  }

  /** Shares change by themselves, while somebody warms up or returns: it is to be looked at again soon. */
  get growing(): boolean {
    return this.#growing;
  }

  /** What was told of this table holds, as long as none of its endpoints is ejected or taken back. */
  stands(table: ClusterTable): boolean {
    return this.#table === table && !this.#growing;
  }

  /** Undefined: as it was told. */
  changed(table: ClusterTable, ejected: ReadonlySet<string>, handle: Handle): NativeCluster | undefined {
    const plan = this.#seats.planOf(table, ejected);
    if (this.#table === table && this.#plan === plan && !this.#growing) return undefined;
    this.#table = table;
    this.#plan = plan;
    return this.#encode(table, plan, ejected, handle);
  }

  #encode(table: ClusterTable, plan: Plan, ejected: ReadonlySet<string>, handle: Handle): NativeCluster {
    const { idleTimeoutMs, maxConnectionDurationMs, maxConnections, tcpKeepalive } = table.traffic?.connections ?? {};
    const places = new Map(table.endpoints.map((endpoint, at) => [endpoint, at]));
    const policy = table.traffic?.loadBalancer?.type ?? 'round-robin';
    return {
      connectTimeoutMs: whole(table.connectTimeoutMs),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs: whole(idleTimeoutMs) }),
      ...(maxConnectionDurationMs === undefined ? {} : { maxDurationMs: whole(maxConnectionDurationMs) }),
      ...(maxConnections === undefined ? {} : { maxConnections: whole(maxConnections) }),
      ...(tcpKeepalive?.timeMs === undefined ? {} : { keepAliveMs: whole(tcpKeepalive.timeMs) }),
      ...(table.proxyProtocol === undefined ? {} : { proxyProtocol: table.proxyProtocol }),
      allSuspect: table.endpoints.every((each) => ejected.has(ejectionKey(table.name, each))),
      // What a byte stream could be hashed by is nothing that the node engine looks at either: any endpoint, at random.
      policy: policy === 'hash' ? 'random' : policy,
      endpoints: table.endpoints.map((endpoint) => ({
        key: keyOf(endpoint),
        id: handle(endpoint),
        address: endpoint.address,
        port: endpoint.port,
        viaGateway: endpoint.viaGateway,
        standing: this.#seats.seatOf(endpoint)?.standing ?? 0,
        ...(endpoint.tls === undefined ? {} : { tls: { ...endpoint.tls, trustDomain: endpoint.tls.trustDomain ?? '' } }),
      })),
      plan: this.#encodePlan(table, plan, (endpoint) => places.get(endpoint) ?? 0),
    };
  }

  #encodePlan({ endpoints, traffic }: ClusterTable, plan: Plan, placeOf: (endpoint: EndpointState) => number): NativePlan {
    const policy = traffic?.loadBalancer;
    const warmup = policy === undefined || policy.type === 'hash' ? undefined : policy.warmup;
    const now = this.#clock.monotonic();
    this.#growing = endpoints.some((each) => this.#seats.isReturning(each));
    const weightOf = ({ weight, seat }: Host): number => {
      if (warmup === undefined || seat.since === undefined) return weight;
      const factor = warmupFactor(warmup, now - seat.since);
      if (factor === 1) seat.since = undefined;
      else this.#growing = true;
      return weight * factor;
    };
    const places = (hosts: readonly Host[]) => hosts.map(({ endpoint }) => placeOf(endpoint));
    return {
      pools: plan.pools.map(({ load, localities }) => ({
        load,
        localities: localities.map(({ weight, seat, hosts }) => ({
          weight,
          standing: seat.standing,
          hosts: hosts.map((host) => [placeOf(host.endpoint), weightOf(host)] as const),
        })),
      })),
      spare: plan.spare.map(places),
      suspects: plan.suspects.map(places),
    };
  }
}

/** What the crate takes: no fraction, and nothing below 0. */
function whole(value: number): number {
  return Number.isFinite(value) ? Math.min(0xffff_ffff, Math.max(0, Math.ceil(value))) : 0xffff_ffff;
}

function keyOf({ address, port, tls, instance }: EndpointState): string {
  return `${address}:${port} ${tls?.sni ?? ''} ${instance}`;
}
