import { isIPv4, isIPv6 } from 'node:net';
import { type EndpointRecord, type Health, type Locality, networkId, parseLocality, type ServicePort } from '../../core/model/index.ts';
import { isExcluded, isMeshOwned, nameService, ownerKey, type RegistryRules, type ServicePart } from '../../core/registry/index.ts';
import type { Violation } from '../../core/validate.ts';
import type { NodeObject, PodObject, ServiceObject, SliceEndpoint, SliceObject } from './objects.ts';
import { protocolOf } from './protocol.ts';

/** Everything one service depends on. */
export interface ServiceInputs {
  readonly service: ServiceObject;
  /** In any order; those of other services are not asked for. */
  readonly slices: readonly SliceObject[];
  /** By name, in the service's namespace. */
  readonly pod: (name: string) => PodObject | undefined;
  readonly node: (name: string) => NodeObject | undefined;
}

/** `skipped` says why a service is not in the mesh; `violation` when somebody should act on it. */
export type Translation =
  | { readonly kind: 'service'; readonly part: ServicePart }
  | { readonly kind: 'skipped'; readonly reason: string; readonly violation?: Violation };

/**
 * A Service with its EndpointSlices, Pods and Nodes as a service record. Pure; endpoints are sorted, so the same objects give
 * the same record. In mesh mode an endpoint waits for its Pod, because the Pod says whose it is and the two watches race.
 */
export function translateService(inputs: ServiceInputs, rules: RegistryRules): Translation {
  const { service } = inputs;
  const native = { name: service.name, nativeNamespace: service.namespace, meta: service.labels, tags: [] };
  if (isMeshOwned(service.labels)) return skipped(`published by Isthmus (${ownerKey}=${service.labels[ownerKey] ?? ''})`);
  const named = nameService(native, rules);
  if (isExcluded(named))
    return { kind: 'skipped', reason: named.excluded, ...(named.violation === undefined ? {} : { violation: named.violation }) };
  if (service.type === 'ExternalName') return skipped('an ExternalName service is a DNS alias and has no endpoints');
  const ports = tcpPorts(service, rules);
  if (ports.length === 0)
    return skipped(service.ports.length === 0 ? 'it has no ports' : 'none of its ports is TCP, and the mesh carries no other');
  const record = {
    namespace: named.namespace,
    name: named.name,
    ports: ports.map(({ name, port, protocol }) => ({ name, port, protocol })),
    endpoints: endpointsOf(inputs, ports, named.namespace, rules),
    labels: service.labels,
    createdAt: service.createdAt,
  };
  return { kind: 'service', part: { record, renamed: named.renamed } };
}

interface NamedPort extends ServicePort {
  /** As the Service and its EndpointSlices call it; empty for an only port without a name. */
  readonly native: string;
}

/** Names and numbers are unique in what an API server accepts; of two that are not, the first counts. */
function tcpPorts(service: ServiceObject, rules: RegistryRules): NamedPort[] {
  const ports: NamedPort[] = [];
  for (const said of service.ports) {
    const name = said.name === '' ? `port-${said.port}` : said.name;
    if (said.protocol !== 'TCP' || ports.some((p) => p.name === name || p.port === said.port)) continue;
    ports.push({ name, native: said.name, port: said.port, protocol: protocolOf(said, rules.protocol) });
  }
  return ports;
}

interface Candidate {
  readonly slice: SliceObject;
  readonly endpoint: SliceEndpoint;
}

function endpointsOf(inputs: ServiceInputs, ports: readonly NamedPort[], namespace: string, rules: RegistryRules): EndpointRecord[] {
  const chosen = new Map<string, EndpointRecord & { readonly rank: number }>();
  for (const candidate of candidatesOf(inputs)) {
    const record = endpointOf(inputs, candidate, ports, namespace, rules);
    if (record === undefined) continue;
    const other = chosen.get(record.instance);
    if (other === undefined) chosen.set(record.instance, record);
    else chosen.set(record.instance, record.rank < other.rank ? merge(record, other) : merge(other, record));
  }
  return [...chosen.values()].sort((a, b) => (a.instance < b.instance ? -1 : 1)).map(({ rank: _, ...record }) => record);
}

/** Sorted, so that whatever is decided between candidates does not depend on the order in which slices were learnt. */
function candidatesOf(inputs: ServiceInputs): Candidate[] {
  const slices = [...inputs.slices].sort((a, b) => (a.name < b.name ? -1 : 1));
  return slices.flatMap((slice) => slice.endpoints.map((endpoint) => ({ slice, endpoint })));
}

/** One pod may be in several slices: of the other address family, with the rest of its ports, or twice while slices are rebalanced. */
function merge<T extends EndpointRecord>(better: T, other: T): T {
  if (better.address !== other.address) return better;
  return { ...better, ports: { ...other.ports, ...better.ports } };
}

function endpointOf(
  inputs: ServiceInputs,
  { slice, endpoint }: Candidate,
  ports: readonly NamedPort[],
  namespace: string,
  rules: RegistryRules,
): (EndpointRecord & { rank: number }) | undefined {
  const valid = slice.addressType === 'IPv6' ? isIPv6(endpoint.address) : slice.addressType === 'IPv4' && isIPv4(endpoint.address);
  if (!valid) return undefined;
  const pod = endpoint.pod === undefined ? undefined : inputs.pod(endpoint.pod);
  if (endpoint.pod !== undefined && pod === undefined && rules.tlsMode === 'mesh') return undefined;
  const targets = targetPorts(slice, ports);
  if (Object.keys(targets).length === 0) return undefined;
  const { service } = inputs;
  const health = healthOf(endpoint);
  const family = Math.max(0, service.ipFamilies.indexOf(slice.addressType));
  return {
    instance: `${service.namespace}/${service.name}/${endpoint.pod ?? locationOf(endpoint, targets)}`,
    network: networkId(rules.network),
    address: endpoint.address,
    ports: targets,
    health,
    weight: 1,
    locality: localityOf(endpoint, inputs.node(endpoint.node), rules),
    labels: pod?.labels ?? {},
    identityNamespace: pod?.namespace ?? namespace,
    serviceAccount: pod?.serviceAccount ?? rules.serviceAccount,
    tlsMode: rules.tlsMode,
    runtime: 'kubernetes',
    attested: false,
    // The service's first address family, and within one the healthiest record.
    rank: family * 10 + ['healthy', 'unknown', 'draining', 'unhealthy'].indexOf(health),
  };
}

/** Without a pod, what listens on another port of an address is another endpoint, as it is to kube-proxy. */
function locationOf(endpoint: SliceEndpoint, targets: Readonly<Record<string, number>>): string {
  return `${endpoint.address}:${[...new Set(Object.values(targets))].sort((a, b) => a - b).join('+')}`;
}

function targetPorts(slice: SliceObject, ports: readonly NamedPort[]): Record<string, number> {
  const targets: Record<string, number> = {};
  for (const port of ports) {
    const target = slice.ports.find((p) => p.name === port.native && p.protocol === 'TCP');
    if (target !== undefined) targets[port.name] = target.port;
  }
  return targets;
}

/** discovery.k8s.io/v1 EndpointConditions: an endpoint that ends but still serves finishes what it has. */
function healthOf(endpoint: SliceEndpoint): Health {
  if (endpoint.terminating) return endpoint.serving ? 'draining' : 'unhealthy';
  return endpoint.ready ? 'healthy' : 'unhealthy';
}

function localityOf(endpoint: SliceEndpoint, node: NodeObject | undefined, rules: RegistryRules): Locality {
  const zone = node?.zone || endpoint.zone;
  if (node === undefined || node.region === '') {
    const fallback = parseLocality(rules.locality);
    return zone === '' ? fallback : { region: fallback.region, zone, subzone: fallback.zone === zone ? fallback.subzone : '' };
  }
  return { region: node.region, zone, subzone: node.subzone };
}

function skipped(reason: string): Translation {
  return { kind: 'skipped', reason };
}
