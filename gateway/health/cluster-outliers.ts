import type { Clock } from '../../core/clock.ts';
import type { OutlierDetection } from '../../core/traffic/index.ts';
import type { Deadlines, Timed } from '../deadlines.ts';
import { type ClusterTable, ejectionKey } from '../engine/contract.ts';
import {
  countOutcome,
  ejectionMs,
  emptyRecord,
  mayEject,
  type Outcome,
  type OutlierRecord,
  successRateOutliers,
} from './outlier-policy.ts';

export interface ClusterOutliersOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly onChange: () => void;
}

/** Outlier detection of one cluster by its own policy, in Envoy's terms. */
export class ClusterOutliers implements Timed {
  readonly #options: ClusterOutliersOptions;
  readonly #records = new Map<string, OutlierRecord>();
  /** Of those ejected now, monotonic ms of their return. */
  readonly #until = new Map<string, number>();
  /** Ejections of late; one is forgotten per interval in which there was none. */
  readonly #counts = new Map<string, number>();
  /** In this interval. */
  readonly #returned = new Set<string>();
  #policy: OutlierDetection;
  #hosts = 0;
  #intervalEnds: number;
  deadline = Number.POSITIVE_INFINITY;

  constructor(policy: OutlierDetection, options: ClusterOutliersOptions) {
    this.#policy = policy;
    this.#options = options;
    this.#intervalEnds = options.clock.monotonic() + policy.intervalMs;
  }

  get ejected(): ReadonlySet<string> {
    return new Set(this.#until.keys());
  }

  /** Another table of the same cluster: endpoints that are no more are forgotten. */
  update({ name, endpoints }: ClusterTable, policy: OutlierDetection): void {
    this.#policy = policy;
    this.#hosts = endpoints.filter(({ weight }) => weight > 0).length;
    const known = new Set(endpoints.map((endpoint) => ejectionKey(name, endpoint)));
    for (const map of [this.#records, this.#until, this.#counts]) for (const key of map.keys()) if (!known.has(key)) map.delete(key);
    this.#arm();
  }

  record(key: string, outcome: Outcome): void {
    const record = this.#records.get(key) ?? { ...emptyRecord };
    this.#records.set(key, record);
    const complete = countOutcome(record, outcome, this.#policy);
    this.#arm();
    if (complete && this.#eject(key)) this.#options.onChange();
  }

  expire(): void {
    const now = this.#options.clock.monotonic();
    let changed = false;
    for (const [key, until] of this.#until) {
      if (now < until) continue;
      this.#until.delete(key);
      this.#returned.add(key);
      // What it did before is paid for.
      this.#records.delete(key);
      changed = true;
    }
    if (now >= this.#intervalEnds) changed = this.#endInterval(now) || changed;
    this.#arm();
    if (changed) this.#options.onChange();
  }

  /** Ends its timer. Idempotent. */
  dispose(): void {
    this.#options.deadlines.forget(this);
  }

  #endInterval(now: number): boolean {
    this.#intervalEnds = now + this.#policy.intervalMs;
    for (const [key, count] of this.#counts) {
      if (this.#until.has(key) || this.#returned.has(key)) continue;
      if (count <= 1) this.#counts.delete(key);
      else this.#counts.set(key, count - 1);
    }
    this.#returned.clear();
    let changed = false;
    for (const key of successRateOutliers(this.#records, this.#policy)) changed = this.#eject(key) || changed;
    for (const record of this.#records.values()) [record.total, record.successes] = [0, 0];
    return changed;
  }

  #eject(key: string): boolean {
    if (this.#until.has(key) || !mayEject(this.#until.size, this.#hosts, this.#policy)) return false;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    this.#until.set(key, this.#options.clock.monotonic() + ejectionMs(count, this.#policy));
    this.#arm();
    return true;
  }

  /** The timer runs while there is anything to time. */
  #arm(): void {
    const idle = this.#until.size === 0 && this.#counts.size === 0 && (this.#policy.successRate === undefined || this.#records.size === 0);
    if (idle) {
      this.deadline = Number.POSITIVE_INFINITY;
      this.#options.deadlines.forget(this);
      return;
    }
    const intervalMatters = this.#counts.size > 0 || this.#policy.successRate !== undefined;
    const next = intervalMatters ? this.#intervalEnds : Number.POSITIVE_INFINITY;
    this.deadline = Math.min(next, ...this.#until.values());
    this.#options.deadlines.watch(this);
  }
}
