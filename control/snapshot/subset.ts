import type { ServicePort } from '../../core/model/index.ts';
import type { CatalogEndpoint } from '../catalog/index.ts';
import type { CallerTraffic, ClusterPolicy, ServiceTraffic } from '../routing/index.ts';
import { selectEndpoint } from '../routing/index.ts';

/** What one xDS cluster stands for: a subset of a service's endpoints, or with the name '' all of them. */
export interface SubsetTarget {
  readonly name: string;
  /** Absent: every endpoint. */
  readonly labels?: Readonly<Record<string, string>>;
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
export function membersOf(endpoints: readonly CatalogEndpoint[], port: ServicePort, { labels }: SubsetTarget): readonly CatalogEndpoint[] {
  return endpoints.filter((e) => isMember(e, port, labels));
}

export function isMember(e: CatalogEndpoint, port: ServicePort, labels: SubsetTarget['labels']): boolean {
  return e.ports[port.name] !== undefined && (labels === undefined || selectEndpoint(labels, e));
}
