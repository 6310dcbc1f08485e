import type { ServicePort } from '../../core/model/index.ts';
import type { CatalogEndpoint } from '../catalog/index.ts';
import type { CallerTraffic, ClusterPolicy, ServiceTraffic, Subset } from '../routing/index.ts';
import { belongsTo } from '../routing/index.ts';

/** What one xDS cluster stands for: a subset of a service's endpoints, or with the name '' all of them. */
export interface SubsetTarget {
  readonly name: string;
  /** Absent: every endpoint. */
  readonly labels?: Subset['labels'];
  readonly source?: Subset['source'];
  /** By service port. */
  readonly policies?: ReadonlyMap<number, ClusterPolicy>;
}

const whole: SubsetTarget = { name: '' };
const onlyWhole = [whole];

/** As callers of this namespace have it; undefined: of any that is told what most are. */
export function callerTraffic(traffic: ServiceTraffic | undefined, namespace: string | undefined): CallerTraffic | undefined {
  return (namespace === undefined ? undefined : traffic?.callers.get(namespace)) ?? traffic;
}

/** The whole service first, then its subsets in the order of their names. */
export function subsetsOf(traffic: CallerTraffic | undefined): readonly SubsetTarget[] {
  if (traffic === undefined) return onlyWhole;
  return [{ name: '', policies: traffic.policies }, ...traffic.subsets];
}

/** The endpoints that have the port and belong to the subset. */
export function membersOf(endpoints: readonly CatalogEndpoint[], port: ServicePort, target: SubsetTarget): readonly CatalogEndpoint[] {
  return endpoints.filter((e) => isMember(e, port, target));
}

export function isMember(e: CatalogEndpoint, port: ServicePort, { labels, source }: SubsetTarget): boolean {
  if (e.ports[port.name] === undefined) return false;
  return labels === undefined || belongsTo({ labels, source }, e);
}
