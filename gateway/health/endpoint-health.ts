import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { ClusterTable, EndpointAttempt } from '../engine/index.ts';
import type { EndpointState } from '../state/types.ts';
import { ActiveChecks, type PerformCheck } from './active/active-checks.ts';
import { Outliers } from './outliers.ts';
import { PolicyOutliers } from './policy-outliers.ts';
import { probeTcp } from './probe-tcp.ts';
import { type Carrier, SilenceWatch } from './silence-watch.ts';

export interface EndpointHealthOptions {
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  /** Asks an endpoint how it is; see HealthCheckPolicy. */
  readonly check: PerformCheck;
  readonly onChecked: ConstructorParameters<typeof ActiveChecks>[0]['onResult'];
  /** `ejected` has changed. */
  readonly onChange: () => void;
}

/** All that one data plane finds out about endpoints by itself: what became of attempts, who has gone silent, and who does not pass its health check. */
export class EndpointHealth {
  readonly #options: EndpointHealthOptions;
  /** Where the cluster has no policy. */
  readonly #outliers: Outliers;
  readonly #policed: PolicyOutliers;
  readonly #silence: SilenceWatch;
  readonly #checks: ActiveChecks;
  #clusters: ReadonlyMap<string, ClusterTable> = new Map();
  #ejected: ReadonlySet<string> = new Set();

  constructor(options: EndpointHealthOptions) {
    this.#options = options;
    const { clock, random } = options;
    const onChange = () => this.#publish();
    this.#outliers = new Outliers({ clock, random, onChange });
    this.#policed = new PolicyOutliers(clock, onChange);
    this.#checks = new ActiveChecks({
      clock,
      random,
      perform: options.check,
      onChange,
      ...(options.onChecked === undefined ? {} : { onResult: options.onChecked }),
    });
    this.#silence = new SilenceWatch({
      clock,
      probe: ({ address, port }, timeoutMs) => probeTcp(address, port, timeoutMs, clock),
      clusters: () => this.#clusters,
      onChange,
    });
  }

  /** `ejectionKey`s of those held back, for whatever reason. Immutable; a change is a new set. */
  get ejected(): ReadonlySet<string> {
    return this.#ejected;
  }

  /** What became of an attempt. */
  record(attempt: EndpointAttempt): void {
    if (!this.#policed.record(attempt)) this.#outliers.record(attempt);
  }

  /** An HTTP answer has begun. */
  answered(clusterName: string, endpoint: EndpointState, status: number): void {
    this.#policed.answered(clusterName, endpoint, status);
  }

  /** A TCP connection to the endpoint is being opened; it is destroyed when the endpoint has vanished. */
  opened(endpoint: EndpointState, socket: Socket): void {
    this.#silence.opened(endpoint, socket);
  }

  /** An engine that carries connections which `opened` is not told of. Once at most. */
  follow(carrier: Carrier): void {
    this.#silence.follow(carrier);
  }

  /** An answer is waited for, until the returned function is called: when it begins, or is not wanted any more. Idempotent. */
  asked(endpoint: EndpointState): () => void {
    return this.#silence.asked(endpoint);
  }

  /** Forgets endpoints that are no more. Publishes nothing: `ejected` is up to date when it returns. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    this.#clusters = clusters;
    this.#outliers.keepOnly(clusters);
    this.#policed.keepOnly(clusters);
    this.#silence.refresh();
    this.#checks.keepOnly(clusters);
    this.#ejected = this.#union();
  }

  /** Ends all timers. Idempotent. */
  dispose(): void {
    this.#outliers.dispose();
    this.#policed.dispose();
    this.#silence.dispose();
    this.#checks.dispose();
  }

  #publish(): void {
    this.#ejected = this.#union();
    this.#options.onChange();
  }

  #union(): ReadonlySet<string> {
    const parts = [this.#outliers.ejected, ...this.#policed.ejected, this.#silence.ejected, this.#checks.failing].filter(
      (part) => part.size > 0,
    );
    return parts.length === 1 ? (parts[0] ?? nobody) : parts.length === 0 ? nobody : new Set(parts.flatMap((part) => [...part]));
  }
}

const nobody: ReadonlySet<string> = new Set();
