import type { Clock } from '../../../core/clock.ts';
import type { ClusterStats } from '../../../core/xds/gen/envoy/config/endpoint/v3/load_report.ts';

/** What one Envoy sent to endpoints of the mesh: first tries, retries and copies for mirrors alike. */
export interface LoadStatus {
  /** SPIFFE-ID#INSTANCE, as xDS clients are named. */
  readonly id: string;
  /** ms since it last reported. */
  readonly ageMs: number;
  /** Since this control plane first heard of it. */
  readonly sent: number;
  readonly failed: number;
  /** Not sent, because there were too many. */
  readonly dropped: number;
  /** When it last reported. */
  readonly inProgress: number;
}

interface Known extends Omit<LoadStatus, 'id' | 'ageMs'> {
  readonly heardAt: number;
}

const keptMs = 3_600_000;
const mostEnvoys = 16_384;
/** Of the mesh, and not where Envoy is told what to do or talks to itself. */
const ofMesh = /^(outbound|local|inbound)(\||_\.)/;

/** Sums of Envoy's load reports, one row an Envoy. Forgets who is silent for an hour. */
export class Loads {
  readonly #clock: Clock;
  /** Longest silent first. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  heard(id: string, stats: readonly ClusterStats[]): void {
    const before = this.#known.get(id) ?? { sent: 0, failed: 0, dropped: 0 };
    const clusters = stats.filter(({ clusterName }) => ofMesh.test(clusterName));
    const places = clusters.flatMap((each) => each.upstreamLocalityStats);
    const now = this.#clock.monotonic();
    this.#known.delete(id);
    this.#known.set(id, {
      sent: before.sent + sum(places.map((each) => each.totalIssuedRequests)),
      failed: before.failed + sum(places.map((each) => each.totalErrorRequests)),
      dropped: before.dropped + sum(clusters.map((each) => each.totalDroppedRequests)),
      inProgress: sum(places.map((each) => each.totalRequestsInProgress)),
      heardAt: now,
    });
    for (const [oldest, { heardAt }] of this.#known) {
      if (this.#known.size <= mostEnvoys && now - heardAt < keptMs) break;
      this.#known.delete(oldest);
    }
  }

  status(): LoadStatus[] {
    const now = this.#clock.monotonic();
    return [...this.#known].map(([id, { heardAt, ...known }]) => ({ id, ageMs: now - heardAt, ...known }));
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
