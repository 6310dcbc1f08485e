import type { Clock } from '../../../core/clock.ts';
import { shiftSubset } from '../../../core/config/index.ts';
import { type ServiceKey, serviceKey } from '../../../core/model/index.ts';
import { type FlowCounts, failedRequests, increase, type LatencyHistogram } from '../../../core/telemetry/index.ts';
import type { TrafficKey } from './contract.ts';

/** Sums of one side since its meter was made; they never fall. */
export interface SideSums {
  requests: number;
  /** Answered 5xx, or not at all; gRPC calls by their own status. */
  errors: number;
  /** Byte streams that have begun, or could not be made. */
  connections: number;
  connectionErrors: number;
  readonly latency: LatencyHistogram;
  latencySumMs: number;
}

/** Requests and connections of one principal, or of the gateway that calls for those who have no proxy. */
export interface CallerSums {
  readonly source: string;
  readonly cluster: string;
  from: number;
  to: number;
}

/** Counts what goes to either side of a service that is shifted. */
export interface ServiceMeter {
  /** Since it was made. What it gives does not change afterwards. */
  read(): { readonly from: Readonly<SideSums>; readonly to: Readonly<SideSums>; readonly callers: readonly Readonly<CallerSums>[] };
  /** Counts no more. Idempotent. */
  close(): void;
}

/** What one report says of one key. */
export interface CountedFlow {
  /** SPIFFE-ID#INSTANCE of the reporter. */
  readonly id: string;
  readonly key: TrafficKey;
  /** xDS cluster. */
  readonly cluster: string;
  readonly counts: FlowCounts;
  /** The reporter counts byte streams when they begin. */
  readonly countsOpened: boolean;
}

const rememberedMs = 3_600_000;
const mostPairs = 50_000;
const mostCallers = 1_000;

/**
 * Counts each call once, by who made the choice between the sides: the caller's own proxy (an ingress gateway is one too), or the gateway
 * that calls for who has none. What passes through a gateway, and what mTLS ends count of the same call, is left out.
 */
export class TrafficMeters {
  readonly #clock: Clock;
  readonly #meters = new Map<ServiceKey, Set<OneMeter>>();
  /** By service and reporter, when it last told of calls; the longest ago first. Monotonic ms. */
  readonly #called = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  meter(service: ServiceKey): ServiceMeter {
    const meters = this.#meters.get(service) ?? new Set();
    this.#meters.set(service, meters);
    const made = new OneMeter(() => {
      meters.delete(made);
      if (meters.size === 0 && this.#meters.get(service) === meters) this.#meters.delete(service);
    });
    meters.add(made);
    return made;
  }

  /** Reporters (SPIFFE-ID#INSTANCE) that told of calls of it in the last hour, whatever subset they went to. */
  callersOf(service: ServiceKey): readonly string[] {
    const oldest = this.#clock.monotonic() - rememberedMs;
    return [...this.#called].flatMap(([pair, at]) => {
      const [key = '', id = ''] = pair.split('\n');
      return key === service && at >= oldest ? [id] : [];
    });
  }

  count({ id, key, cluster, counts, countsOpened }: CountedFlow): void {
    const { destination, reporter, source } = key;
    if (destination.name === '' || reporter === 'destination' || !cluster.startsWith('outbound|')) return;
    const service = serviceKey(destination.namespace, destination.name);
    const connections = countsOpened ? counts.opened : counts.connections;
    if (counts.requests + connections + counts.connections > 0) this.#note(`${service}\n${id}`);
    const side = destination.subset === shiftSubset.from ? 'from' : destination.subset === shiftSubset.to ? 'to' : undefined;
    if (side === undefined) return;
    const failed = countsOpened ? counts.failed : failedOf(counts);
    for (const meter of this.#meters.get(service) ?? []) meter.add(side, source, counts, { connections, failed });
  }

  #note(pair: string): void {
    const now = this.#clock.monotonic();
    this.#called.delete(pair);
    this.#called.set(pair, now);
    for (const [oldest, at] of this.#called) {
      if (this.#called.size <= mostPairs && now - at < rememberedMs) return;
      this.#called.delete(oldest);
    }
  }
}

/** Of proxies that do not say: by the flags of byte streams, which have a flow to themselves. */
function failedOf({ requests, connections, flags }: FlowCounts): number {
  if (requests > 0) return 0;
  return Math.min(
    connections,
    ['UF', 'UH', 'UO', 'NC', 'NR'].reduce((sum, flag) => sum + (flags.get(flag) ?? 0), 0),
  );
}

type Streams = { readonly connections: number; readonly failed: number };

class OneMeter implements ServiceMeter {
  readonly #from = noSums();
  readonly #to = noSums();
  readonly #callers = new Map<string, CallerSums>();
  readonly #onClose: () => void;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  read(): ReturnType<ServiceMeter['read']> {
    return { from: copyOf(this.#from), to: copyOf(this.#to), callers: [...this.#callers.values()].map((each) => ({ ...each })) };
  }

  close(): void {
    this.#onClose();
  }

  add(side: 'from' | 'to', source: TrafficKey['source'], counts: FlowCounts, { connections, failed }: Streams): void {
    const sums = side === 'from' ? this.#from : this.#to;
    sums.requests += counts.requests;
    sums.errors += failedRequests(counts);
    sums.connections += connections;
    sums.connectionErrors += failed;
    for (const [bucket, n] of counts.latency) increase(sums.latency, bucket, n);
    sums.latencySumMs += counts.latencySumMs;
    if (counts.requests + connections > 0) this.#caller(source)[side] += counts.requests + connections;
  }

  /** Beyond the most that are told apart all others are one, without a name. */
  #caller({ principal, cluster }: TrafficKey['source']): CallerSums {
    const id = `${principal}\n${cluster}`;
    const known = this.#callers.get(id);
    if (known !== undefined) return known;
    if (this.#callers.size >= mostCallers && principal !== '') return this.#caller({ principal: '', cluster: '' });
    const made = { source: principal, cluster, from: 0, to: 0 };
    this.#callers.set(id, made);
    return made;
  }
}

function noSums(): SideSums {
  return { requests: 0, errors: 0, connections: 0, connectionErrors: 0, latency: new Map(), latencySumMs: 0 };
}

function copyOf(sums: SideSums): SideSums {
  return { ...sums, latency: new Map(sums.latency) };
}
