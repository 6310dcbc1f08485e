import type { Drift, Instance, ServiceStatus, Status } from '../../core/admin/index.ts';
import type { Grants } from './access.ts';

/** Pure: what a caller may see, by the namespaces in which they are at least a viewer. */
export function visibleStatus(status: Status, grants: Grants): Status {
  if (grants.has('viewer', '*')) return status;
  const services = visibleServices(status.services, grants);
  // Sources say how old what the caller sees is; the rest is of the whole mesh. Findings of their namespaces are with their objects.
  const { findings: _, drift: __, ...rest } = status;
  return {
    ...rest,
    partial: true,
    services,
    peers: [],
    gateways: [],
    clients: [],
    certificates: [],
    conflicts: [],
    configViolations: [],
  };
}

export function visibleServices(services: readonly ServiceStatus[], grants: Grants): ServiceStatus[] {
  return services.filter((s) => grants.has('viewer', s.namespace));
}

export function visibleInstances(instances: readonly Instance[], grants: Grants): Instance[] {
  return instances.filter((i) => grants.has('viewer', i.namespace));
}

/** Who may see no more than some namespaces sees how many differ in the mesh, and which of those are theirs. */
export function visibleDrift(drift: Drift, grants: Grants): Drift {
  if (grants.has('viewer', '*')) return drift;
  const sees = ({ namespace }: { readonly namespace: string }) => namespace !== '' && grants.has('viewer', namespace);
  return { ...drift, objects: drift.objects.filter(sees), conflicts: drift.conflicts.filter(sees) };
}
