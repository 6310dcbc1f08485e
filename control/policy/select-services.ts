import type { WorkloadSelection } from '../../core/config/index.ts';
import type { MergedService } from '../catalog/index.ts';

/** Which services of a namespace a policy is for. */
export interface Selection {
  readonly selector: readonly (readonly [key: string, value: string])[];
  /** Keys of services, in place of the labels. */
  readonly targets?: ReadonlySet<string>;
}

export function selectionOf({ namespace, spec }: { readonly namespace: string; readonly spec: WorkloadSelection }): Selection {
  const { selector, services } = spec;
  const targets = services === undefined ? {} : { targets: new Set(services.map((name) => `${namespace}/${name}`)) };
  return { selector: Object.entries(selector), ...targets };
}

/**
 * By the labels of the service, or by those with one endpoint's added, as Istio selects workloads. One endpoint is enough: a
 * service whose endpoints differ would else lose its guard by the one that lacks a label.
 */
export function selects({ selector, targets }: Selection, { key: own, labels, endpoints }: MergedService): boolean {
  if (targets !== undefined) return targets.has(own);
  const has = (of: Readonly<Record<string, string>>, key: string, value: string) => Object.hasOwn(of, key) && of[key] === value;
  if (selector.every(([key, value]) => has(labels, key, value))) return true;
  return endpoints.some((e) => selector.every(([key, value]) => has(e.labels, key, value) || has(labels, key, value)));
}
