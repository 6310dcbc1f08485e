import type { Clock } from '../../../core/clock.ts';
import type { HealthCheck } from '../../../core/traffic/index.ts';
import { Deadlines, type Timed } from '../../deadlines.ts';
import { type ClusterTable, ejectionKey } from '../../engine/contract.ts';
import type { EndpointState } from '../../state/types.ts';
import { type CheckResult, type CheckState, initialCheck, stepCheck } from './check-state.ts';

/** Asks one endpoint once. Never rejects; ends when `signal` aborts. */
export type PerformCheck = (
  cluster: ClusterTable,
  endpoint: EndpointState,
  check: HealthCheck,
  signal: AbortSignal,
) => Promise<CheckResult>;

export interface ActiveChecksOptions {
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly perform: PerformCheck;
  /** `failing` has changed. */
  readonly onChange: () => void;
  readonly onResult?: (clusterName: string, result: CheckResult) => void;
}

/** At once, of one data plane; those that are due meanwhile wait for their turn. */
const maxAtOnce = 64;
/** The first checks of many endpoints are spread over this, or their interval where that is shorter. */
const firstWithinMs = 500;

/**
 * Asks the endpoints of every xDS cluster that has a health check, each by itself, with a fifth of the interval as jitter. An
 * endpoint behind a gateway is not asked: any of several would answer. There the gateway is, by a TCP connection.
 */
export class ActiveChecks {
  readonly #options: ActiveChecksOptions;
  readonly #deadlines: Deadlines;
  readonly #targets = new Map<string, Target>();
  readonly #waiting = new Set<Target>();
  #running = 0;
  #failing: ReadonlySet<string> = new Set();

  constructor(options: ActiveChecksOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, 50);
  }

  /** `ejectionKey`s of endpoints that do not pass. Immutable; a change is a new set. */
  get failing(): ReadonlySet<string> {
    return this.#failing;
  }

  /** Follows what is to be checked. An endpoint that stays keeps what is known of it. Publishes nothing. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    const listed = new Set<string>();
    for (const cluster of clusters.values()) {
      const check = cluster.traffic?.healthCheck;
      if (check === undefined) continue;
      for (const endpoint of cluster.endpoints) {
        if (endpoint.weight === 0 || endpoint.draining) continue;
        const key = targetKey(cluster, endpoint);
        listed.add(key);
        const known = this.#targets.get(key);
        if (known === undefined) this.#begin(key, new Target(cluster, endpoint, check));
        else known.update(cluster, endpoint, check);
      }
    }
    for (const [key, target] of this.#targets) if (!listed.has(key)) this.#end(key, target);
    this.#failing = this.#current();
  }

  /** Ends all checks. Idempotent. */
  dispose(): void {
    for (const [key, target] of this.#targets) this.#end(key, target);
  }

  #begin(key: string, target: Target): void {
    const { clock, random } = this.#options;
    this.#targets.set(key, target);
    target.onDue = () => this.#due(target);
    target.deadline = clock.monotonic() + random() * Math.min(firstWithinMs, target.check.intervalMs);
    this.#deadlines.watch(target);
  }

  #end(key: string, target: Target): void {
    this.#targets.delete(key);
    this.#waiting.delete(target);
    this.#deadlines.forget(target);
    target.abort.abort();
  }

  #due(target: Target): void {
    target.deadline = Number.POSITIVE_INFINITY;
    this.#waiting.add(target);
    this.#next();
  }

  #next(): void {
    for (const target of this.#waiting) {
      if (this.#running >= maxAtOnce) return;
      this.#waiting.delete(target);
      this.#running += 1;
      void this.#run(target).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #run(target: Target): Promise<void> {
    const { clock, random, perform, onResult } = this.#options;
    const { cluster, endpoint, check } = target;
    const result = await perform(cluster, endpoint, check, target.abort.signal);
    if (target.abort.signal.aborted) return;
    onResult?.(cluster.name, result);
    const before = target.state.health;
    target.state = stepCheck(target.state, result, target.check);
    target.deadline = clock.monotonic() + target.check.intervalMs * (0.9 + random() / 5);
    if ((before === 'unhealthy') === (target.state.health === 'unhealthy')) return;
    this.#failing = this.#current();
    this.#options.onChange();
  }

  #current(): ReadonlySet<string> {
    const failing = new Set<string>();
    for (const { cluster, endpoint, state } of this.#targets.values())
      if (state.health === 'unhealthy') failing.add(ejectionKey(cluster.name, endpoint));
    return failing;
  }
}

function targetKey(cluster: ClusterTable, endpoint: EndpointState): string {
  return `${ejectionKey(cluster.name, endpoint)} ${cluster.name} ${endpoint.tls?.sni ?? ''}`;
}

/** One endpoint as one xDS cluster has it. */
class Target implements Timed {
  cluster: ClusterTable;
  endpoint: EndpointState;
  check: HealthCheck;
  state: CheckState = initialCheck;
  deadline = Number.POSITIVE_INFINITY;
  onDue: () => void = () => {};
  readonly abort = new AbortController();

  constructor(cluster: ClusterTable, endpoint: EndpointState, check: HealthCheck) {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.check = check;
  }

  update(cluster: ClusterTable, endpoint: EndpointState, check: HealthCheck): void {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.check = check;
  }

  expire(): void {
    this.onDue();
  }
}
