import type { TrafficObject } from '../../core/config/index.ts';
import { systemNamespace } from '../../core/model/index.ts';
import type { Workload } from './contract.ts';
import { olderFirst, type SidecarObject, type TelemetryObject } from './objects.ts';

/** The older first, as of several that fit one is used. */
export type ByNamespace<T> = ReadonlyMap<string, readonly T[]>;

export function byNamespace<T extends TrafficObject>(objects: readonly T[]): ByNamespace<T> {
  const found = new Map<string, T[]>();
  for (const object of [...objects].sort(olderFirst)) {
    const others = found.get(object.namespace);
    if (others === undefined) found.set(object.namespace, [object]);
    else others.push(object);
  }
  return found;
}

type Selector = Readonly<Record<string, string>>;

export function sidecarSelector({ spec }: SidecarObject): Selector {
  return spec.workloadSelector;
}

export function telemetrySelector({ spec }: TelemetryObject): Selector {
  return spec.selector;
}

/**
 * What holds for a workload, in Istio's order: what selects it in its namespace, what is for that namespace as a whole, and what is for
 * `isthmus-system`, the root namespace, as a whole.
 */
export function nearestFirst<T extends TrafficObject>(
  objects: ByNamespace<T>,
  selectorOf: (object: T) => Selector,
  { namespace, labels }: Workload,
): readonly T[] {
  const own = objects.get(namespace) ?? [];
  const whole = (each: T) => Object.keys(selectorOf(each)).length === 0;
  const fits = (each: T) => Object.entries(selectorOf(each)).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
  const chain = [own.find((each) => !whole(each) && fits(each)), own.find(whole), (objects.get(systemNamespace) ?? []).find(whole)];
  return [...new Set(chain)].filter((each) => each !== undefined);
}
