import { clusterSetHost, meshHost } from '../../core/model/index.ts';
import type { DataPlaneState, InboundService } from '../../gateway/index.ts';
import type { HostTable, Zones } from '../dns/index.ts';
import type { AgentOptions } from '../options.ts';
import type { AddressTable, OutboundService } from '../redirect/index.ts';

/** Until a control plane has named another one. */
const usualSuffix = 'mesh.internal';
const clusterSetSuffix = 'svc.clusterset.local';

/** What names are made of. */
export type MeshNames = Pick<DataPlaneState, 'listeners' | 'bundles'>;

/** The mesh services that this machine may call, by name. Pure. */
export function outboundServices(state: Pick<DataPlaneState, 'listeners'>): readonly OutboundService[] {
  const services = [...state.listeners.values()].flatMap((listener): OutboundService[] => {
    if (listener.kind !== 'service') return [];
    const [canonical, ...others] = listener.hosts.map((host) => host.toLowerCase());
    return canonical === undefined ? [] : [{ hosts: [canonical, ...others], ports: listener.ports }];
  });
  return services.sort((a, b) => (a.hosts[0] < b.hosts[0] ? -1 : 1));
}

/** Services are found by hosts `NAME.NAMESPACE.` with this behind it. Pure. */
export function canonicalSuffix(state: MeshNames): string {
  for (const { hostSuffix } of state.bundles.values()) if (hostSuffix !== '') return hostSuffix.toLowerCase();
  return meshSuffixes(state).find((suffix) => suffix !== clusterSetSuffix) ?? usualSuffix;
}

/** The suffixes that follow `NAME.NAMESPACE.` in the hosts of services, the clusterset's always among them. Pure. */
export function meshSuffixes(state: MeshNames): readonly string[] {
  const found = new Set<string>();
  for (const { hostSuffix } of state.bundles.values()) if (hostSuffix !== '') found.add(hostSuffix.toLowerCase());
  for (const listener of state.listeners.values()) {
    if (listener.kind !== 'service') continue;
    const prefix = `${listener.service}.${listener.namespace}.`;
    for (const host of listener.hosts) if (host.startsWith(prefix)) found.add(host.slice(prefix.length).toLowerCase());
  }
  if ([...found].every((suffix) => suffix === clusterSetSuffix)) found.add(usualSuffix);
  found.add(clusterSetSuffix);
  return [...found].sort();
}

/** Every name of every service, to its loopback address; to 127.0.0.1 where only explicit ports lead to it. `partial`: see Zones. Pure. */
export function meshZones(
  services: readonly OutboundService[],
  addresses: AddressTable,
  suffixes: readonly string[],
  explicit: ReadonlyMap<string, number>,
  partial = false,
): Zones {
  const hosts = new Map<string, readonly string[]>();
  for (const service of services) {
    const address = addresses.assigned.get(service.hosts[0]) ?? (hasExplicit(service, explicit) ? '127.0.0.1' : undefined);
    if (address !== undefined) for (const host of service.hosts) hosts.set(host, [address]);
  }
  return { suffixes, partial, hosts: hosts as HostTable };
}

function hasExplicit(service: OutboundService, explicit: ReadonlyMap<string, number>): boolean {
  return service.ports.some(({ port }) => explicit.has(`${service.hosts[0]}:${port}`));
}

/** What the mTLS end of this machine serves: every name that callers may use for its services. Pure. */
export function inboundServices(services: AgentOptions['services'], state: MeshNames): readonly InboundService[] {
  const suffixes = meshSuffixes(state).filter((suffix) => suffix !== clusterSetSuffix);
  return services.map(({ namespace, name, port, protocol, appAddress, appPort, proxyProtocol, forwardClientCert, expose }) => {
    const known = [...state.listeners.values()].find((l) => l.kind === 'service' && l.namespace === namespace && l.service === name);
    const named = known?.kind === 'service' ? known.hosts : [];
    const derived = [...suffixes.map((suffix) => meshHost({ namespace, name }, suffix)), clusterSetHost({ namespace, name })];
    const hosts = [...new Set([...named, ...derived])];
    return { namespace, service: name, hosts, port, protocol, appAddress, appPort, proxyProtocol, forwardClientCert, expose };
  });
}
