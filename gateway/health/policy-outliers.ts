import type { Clock } from '../../core/clock.ts';
import { Deadlines } from '../deadlines.ts';
import { type ClusterTable, type EndpointAttempt, ejectionKey } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import { ClusterOutliers, type ClusterOutliersOptions } from './cluster-outliers.ts';

/** Outlier detection of the clusters that have a policy for it; the others are `Outliers`' affair. */
export class PolicyOutliers {
  readonly #options: ClusterOutliersOptions;
  readonly #clusters = new Map<string, { readonly table: ClusterTable; readonly detector: ClusterOutliers }>();

  constructor(clock: Clock, onChange: () => void) {
    this.#options = { clock, deadlines: new Deadlines(clock), onChange };
  }

  get ejected(): readonly ReadonlySet<string>[] {
    return [...this.#clusters.values()].map(({ detector }) => detector.ejected).filter((keys) => keys.size > 0);
  }

  /** False: this cluster has no policy. A gateway answers for its own connects alone. */
  record({ clusterName, endpoint, result }: EndpointAttempt): boolean {
    const known = this.#clusters.get(clusterName);
    if (known === undefined) return false;
    if (result === 'aborted' || result === 'overflow' || result === 'shortage') return true;
    if (endpoint.viaGateway && result !== 'connect' && result !== 'ok') return true;
    known.detector.record(ejectionKey(clusterName, endpoint), { kind: result === 'ok' ? 'connected' : 'failure' });
    return true;
  }

  /** An HTTP answer of its own, or of what is behind it. */
  answered(clusterName: string, endpoint: EndpointState, status: number): void {
    if (endpoint.viaGateway) return;
    this.#clusters.get(clusterName)?.detector.record(ejectionKey(clusterName, endpoint), { kind: 'answer', status });
  }

  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    for (const [name, { detector }] of this.#clusters) {
      if (clusters.get(name)?.traffic?.outlier !== undefined) continue;
      detector.dispose();
      this.#clusters.delete(name);
    }
    for (const [name, table] of clusters) {
      const policy = table.traffic?.outlier;
      const known = this.#clusters.get(name);
      if (policy === undefined || known?.table === table) continue;
      const detector = known?.detector ?? new ClusterOutliers(policy, this.#options);
      detector.update(table, policy);
      this.#clusters.set(name, { table, detector });
    }
  }

  /** Ends the timer. Idempotent. */
  dispose(): void {
    for (const { detector } of this.#clusters.values()) detector.dispose();
  }
}
