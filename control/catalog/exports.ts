import type { ExportPolicyObject } from '../../core/config/index.ts';
import type { ClusterId, ServiceKey, ServicePort } from '../../core/model/index.ts';
import { matchesAny } from './glob.ts';
import { compareText } from './shard.ts';
import type { CatalogEndpoint, CatalogView, MergedService } from './view.ts';

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

/** The policies that let `peer` see `service`, as `NAMESPACE/NAME`, sorted; empty: not exported. */
export function exportingPolicies(service: MergedService, peer: ClusterId, policies: readonly ExportPolicyObject[]): readonly string[] {
  return policies
    .filter((p) => matchesAny(p.spec.audience, peer) && selects(p, service))
    .map((p) => `${p.namespace}/${p.name}`)
    .sort(compareText);
}

function selects(policy: ExportPolicyObject, service: MergedService): boolean {
  const { services, labels } = policy.spec;
  const named =
    policy.namespace === '*'
      ? matchesAny(services, service.key)
      : policy.namespace === service.namespace && matchesAny(services, service.name);
  return named && Object.entries(labels).every(([key, value]) => Object.hasOwn(service.labels, key) && service.labels[key] === value);
}

/** Undefined: not exported to this peer, or not ours to export. A peer's endpoints and labels never count. */
export function exportService(
  key: ServiceKey,
  peer: ClusterId,
  view: CatalogView,
  policies: readonly ExportPolicyObject[],
): ServiceExport | undefined {
  const service = view.local.get(key);
  if (service === undefined || peer === view.cluster) return undefined;
  const selectedBy = exportingPolicies(service, peer, policies);
  if (selectedBy.length === 0) return undefined;
  const { namespace, name, ports, labels, createdAt, endpoints } = service;
  return { key, namespace, name, ports, labels, createdAt, endpoints, policies: selectedBy };
}

/** Everything a peer is told. After a change call `exportService` for each changed name instead. */
export function exportsFor(
  peer: ClusterId,
  view: CatalogView,
  policies: readonly ExportPolicyObject[],
): ReadonlyMap<ServiceKey, ServiceExport> {
  const all = new Map<ServiceKey, ServiceExport>();
  for (const key of [...view.local.keys()].sort(compareText)) {
    const one = exportService(key, peer, view, policies);
    if (one !== undefined) all.set(key, one);
  }
  return all;
}
