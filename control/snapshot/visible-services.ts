import type { ServiceKey } from '../../core/model/index.ts';
import type { Egress, TrafficModel } from '../routing/index.ts';
import type { SnapshotInputs } from './inputs.ts';
import { servicesLedTo } from './originate-demand.ts';

/** What a client sees because of its Sidecar. One object for all clients of which that is the same, until it may differ. */
export interface VisibleServices {
  /** NAMESPACE/NAME of the Sidecar. */
  readonly sidecar: string;
  /** Its name, its ports and its rules. */
  sees(service: ServiceKey): boolean;
  /** Its endpoints: also where nothing but the rules of a service that is seen leads there, as in Istio. */
  reaches(service: ServiceKey): boolean;
}

const known = new WeakMap<TrafficModel, WeakMap<Egress, VisibleServices>>();

export function visibleServices(egress: Egress, inputs: SnapshotInputs): VisibleServices {
  const of = known.get(inputs.traffic) ?? new WeakMap<Egress, VisibleServices>();
  known.set(inputs.traffic, of);
  const same = of.get(egress);
  if (same !== undefined) return same;
  const led = leadersOf(inputs);
  const visible: VisibleServices = {
    sidecar: egress.sidecar,
    sees: (service) => egress.names(service),
    reaches: (service) => egress.names(service) || (led.get(service)?.some((leader) => egress.names(leader)) ?? false),
  };
  of.set(egress, visible);
  return visible;
}

const leaders = new WeakMap<TrafficModel, ReadonlyMap<ServiceKey, readonly ServiceKey[]>>();

/** By service, those whose rules lead to it. Looked through once for each state of the rules, and only where there are Sidecars. */
function leadersOf(inputs: SnapshotInputs): ReadonlyMap<ServiceKey, readonly ServiceKey[]> {
  const same = leaders.get(inputs.traffic);
  if (same !== undefined) return same;
  const found = new Map<ServiceKey, ServiceKey[]>();
  for (const key of inputs.view.services.keys()) {
    for (const led of servicesLedTo(key, inputs)) {
      const others = found.get(led);
      if (others === undefined) found.set(led, [key]);
      else others.push(key);
    }
  }
  leaders.set(inputs.traffic, found);
  return found;
}
