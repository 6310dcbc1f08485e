import type { ServiceKey, ServicePort } from '../../core/model/index.ts';
import type { CatalogEndpoint } from './view.ts';

/** What one peer is told of one service: from local sources alone. */
export interface ServiceExport {
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly ServicePort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly endpoints: readonly CatalogEndpoint[];
  /** Names of the ExportPolicies (`NAMESPACE/NAME`) that select it for this peer, sorted. */
  readonly policies: readonly string[];
}
