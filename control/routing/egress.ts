import { type ServiceKey, splitServiceKey, systemNamespace } from '../../core/model/index.ts';
import type { Egress } from './contract.ts';
import { coversService, hostKeys, isWildcard } from './hosts.ts';
import { objectName, type SidecarObject } from './objects.ts';

/** Hosts that ServiceEntries give to the service of their name, in lower case. */
export type EntryHosts = ReadonlyMap<string, readonly string[]>;

/**
 * Whose hosts a workload sees, in Istio's order: the Sidecar of its namespace that selects it, that of the namespace as a whole, that of
 * `isthmus-system`, the root namespace, for all. One without egress leaves that to the next. Undefined: it sees everything.
 */
export function sidecarOf(
  sidecars: ReadonlyMap<string, readonly SidecarObject[]>,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): SidecarObject | undefined {
  const own = sidecars.get(namespace) ?? [];
  const root = sidecars.get(systemNamespace) ?? [];
  const chain = [own.find((each) => selects(each) && fits(each, labels)), own.find(forAll), root.find(forAll)];
  return chain.find((each) => each?.spec.egressHosts !== undefined);
}

function forAll(sidecar: SidecarObject): boolean {
  return !selects(sidecar);
}

export function selects({ spec }: SidecarObject): boolean {
  return Object.keys(spec.workloadSelector).length > 0;
}

function fits({ spec }: SidecarObject, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(spec.workloadSelector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
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
