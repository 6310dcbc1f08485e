import { type ServiceKey, splitServiceKey } from '../../core/model/index.ts';
import type { Egress, Workload } from './contract.ts';
import { coversService, hostKeys, isWildcard } from './hosts.ts';
import { objectName, type SidecarObject } from './objects.ts';
import { type ByNamespace, nearestFirst, sidecarSelector } from './select-workload.ts';

/** Hosts that ServiceEntries give to the service of their name, in lower case. */
export type EntryHosts = ReadonlyMap<string, readonly string[]>;

/**
 * Whose hosts a workload sees: of its Sidecars the nearest that has an egress, so that one without leaves that to the next. Undefined:
 * it sees everything.
 */
export function sidecarOf(sidecars: ByNamespace<SidecarObject>, workload: Workload): SidecarObject | undefined {
  return nearestFirst(sidecars, sidecarSelector, workload).find((each) => each.spec.egressHosts !== undefined);
}

/** One host of an egress: where, and what. */
interface EgressHost {
  /** `*`: any. */
  readonly namespace: string;
  readonly host: string;
}

/** `namespace`: the workload's, which is what `.` means also in the root namespace's Sidecar. */
export function compileEgress(sidecar: SidecarObject, namespace: string, entries: EntryHosts, hostSuffix: string): Egress {
  const hosts = egressHosts(sidecar, namespace);
  return {
    sidecar: objectName(sidecar),
    names: (service) => hosts.some((host) => isNamed(host, service, entries, hostSuffix)),
  };
}

export function egressHosts(sidecar: SidecarObject, namespace: string): readonly EgressHost[] {
  return (sidecar.spec.egressHosts ?? []).flatMap((text) => {
    const [where = '', host = ''] = text.split('/');
    return where === '~' ? [] : [{ namespace: where === '.' ? namespace : where, host: host.toLowerCase() }];
  });
}

function isNamed({ namespace, host }: EgressHost, service: ServiceKey, entries: EntryHosts, hostSuffix: string): boolean {
  const own = splitServiceKey(service).namespace;
  if (namespace !== '*' && namespace !== own) return false;
  if (host === '*') return true;
  const names = entries.get(service) ?? [];
  if (isWildcard(host)) return coversService(host, service, names, hostSuffix);
  return names.includes(host) || hostKeys(host, own, hostSuffix).includes(service);
}
