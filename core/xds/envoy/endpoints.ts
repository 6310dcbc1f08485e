import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { parseLocality } from '../../model/index.ts';
import { type Address, CidrRange } from '../gen/envoy/config/core/v3/address.ts';
import { HealthStatus } from '../gen/envoy/config/core/v3/health_check.ts';
import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.ts';
import { LbEndpoint, LocalityLbEndpoints } from '../gen/envoy/config/endpoint/v3/endpoint_components.ts';

/** How one endpoint proves itself. */
export interface EndpointTls {
  readonly sni: string;
  readonly uriSans: readonly string[];
  /** Of another trust domain than the mesh's; absent: of its own. */
  readonly trustDomain?: string;
}

/** One place to connect to, as the intermediate representation has it. */
export interface MeshEndpoint {
  readonly address: string;
  readonly port: number;
  /** 0 takes no new connections. */
  readonly weight: number;
  /** Contiguous from 0. */
  readonly priority: number;
  /** Absent: plaintext. */
  readonly tls?: EndpointTls;
  /** Mesh cluster. */
  readonly cluster: string;
  readonly locality: string;
  readonly runtime: string;
  readonly instance: string;
  readonly draining: boolean;
  readonly viaGateway?: boolean;
  readonly unhealthy?: boolean;
}

/** Relative within a priority. */
export interface LocalityShare {
  readonly priority: number;
  readonly locality: string;
  readonly weight: number;
}

/** The endpoints of one xDS cluster that prove themselves alike. */
export interface TlsGroup extends EndpointTls {
  /** Matches the endpoints' metadata. */
  readonly id: string;
  readonly cluster: string;
}

export const plaintextGroup = 'plaintext';

function groupOf({ tls, cluster }: MeshEndpoint): TlsGroup | undefined {
  if (tls === undefined) return undefined;
  const id = createHash('sha256')
    .update(JSON.stringify([tls.sni, tls.uriSans, cluster, ...(tls.trustDomain === undefined ? [] : [tls.trustDomain])]))
    .digest('hex')
    .slice(0, 16);
  const { sni, uriSans, trustDomain } = tls;
  return { id, cluster, sni, uriSans, ...(trustDomain === undefined ? {} : { trustDomain }) };
}

/** Distinct, in an order that does not depend on that of the endpoints. */
export function tlsGroups(endpoints: readonly MeshEndpoint[]): readonly TlsGroup[] {
  const groups = new Map<string, TlsGroup>();
  for (const endpoint of endpoints) {
    const group = groupOf(endpoint);
    if (group !== undefined) groups.set(group.id, group);
  }
  return [...groups.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Draining endpoints are left out and not marked: those that Envoy counts as unhealthy it uses when no other is left. What
 * runs on them goes on all the same. Weights hold within a priority, over all its localities, unless these have shares of their own.
 */
export function loadAssignment(
  clusterName: string,
  endpoints: readonly MeshEndpoint[],
  shares: readonly LocalityShare[] = [],
): ClusterLoadAssignment {
  const weights = new Map(shares.map(({ priority, locality, weight }) => [`${priority} ${locality}`, weight]));
  const shared = new Set(shares.map(({ priority }) => priority));
  const localities = new Map<string, LocalityLbEndpoints>();
  const taken = new Set<string>();
  for (const endpoint of endpoints) {
    // Envoy refuses the whole set for one that is a name.
    if (endpoint.weight === 0 || endpoint.draining || isIP(endpoint.address) === 0) continue;
    const key = `${endpoint.priority} ${endpoint.locality}`;
    // Whoever has no share beside those that have takes nothing, whichever way Envoy reads a weight of 0.
    if (shared.has(endpoint.priority) && !weights.get(key)) continue;
    const address = freeAddress(endpoint, taken);
    if (address === undefined) continue;
    const { region, zone, subzone } = parseLocality(endpoint.locality);
    const loadBalancingWeight = weights.get(key) ?? 1;
    const group =
      localities.get(key) ??
      LocalityLbEndpoints.create({ locality: { region, zone, subZone: subzone }, priority: endpoint.priority, loadBalancingWeight });
    localities.set(key, group);
    group.lbEndpoints.push(lbEndpoint(endpoint, address));
  }
  const groups = [...localities.values()];
  if (shares.length > 0) for (const each of groups) if (!shared.has(each.priority)) each.loadBalancingWeight = total(each);
  return ClusterLoadAssignment.create({
    clusterName,
    endpoints: contiguous(groups),
    // A priority takes all of its traffic while five in seven of its endpoints are sound (Envoy's own default, said aloud).
    policy: { overprovisioningFactor: 140 },
  });
}

/** Where other priorities have shares, the weights of endpoints still hold over the localities of this one. */
function total({ lbEndpoints }: LocalityLbEndpoints): number {
  return lbEndpoints.reduce((sum, each) => sum + (each.loadBalancingWeight ?? 1), 0);
}

/** What is left out may have been all of one priority; Envoy wants them contiguous. */
function contiguous(localities: readonly LocalityLbEndpoints[]): LocalityLbEndpoints[] {
  const ranks = [...new Set(localities.map((l) => l.priority))].sort((a, b) => a - b);
  return localities.map((l) => ({ ...l, priority: ranks.indexOf(l.priority) }));
}

/**
 * Envoy keeps one endpoint per address in a cluster. A gateway that leads to workloads and also ends mTLS for others is two,
 * told apart by writing its address the second time as IPv6 maps it.
 */
function freeAddress({ address, port }: MeshEndpoint, taken: Set<string>): Address | undefined {
  const forms = address.includes(':') ? [address] : [address, `::ffff:${address}`];
  const free = forms.find((form) => !taken.has(`${form} ${port}`));
  if (free === undefined) return undefined;
  taken.add(`${free} ${port}`);
  return socketAddress(free, port, free !== address);
}

function lbEndpoint(endpoint: MeshEndpoint, address: Address): LbEndpoint {
  const { cluster, runtime, instance, weight, locality, viaGateway = false } = endpoint;
  return LbEndpoint.create({
    hostIdentifier: { $case: 'endpoint', value: { address } },
    healthStatus: endpoint.unhealthy === true ? HealthStatus.UNHEALTHY : HealthStatus.HEALTHY,
    loadBalancingWeight: weight,
    metadata: {
      filterMetadata: {
        'envoy.transport_socket_match': { tls: groupOf(endpoint)?.id ?? plaintextGroup },
        // What flow-log.ts says of an endpoint; what is not there it says nothing of.
        isthmus: { cluster, runtime, instance, ...(locality === '' ? {} : { locality }), ...(viaGateway ? { via: 'gateway' } : {}) },
      },
    },
  });
}

export function socketAddress(address: string, port: number, ipv4Compat = false): Address {
  return {
    address: {
      $case: 'socketAddress',
      value: { protocol: 0, address, portSpecifier: { $case: 'portValue', value: port }, resolverName: '', ipv4Compat },
    },
  };
}

/** Undefined where it is no CIDR. A bare address is itself alone. */
export function cidrRange(text: string): CidrRange | undefined {
  const [address = '', prefix] = text.split('/');
  const most = address.includes(':') ? 128 : 32;
  const length = prefix === undefined ? most : Number(prefix);
  return Number.isInteger(length) && length >= 0 && length <= most
    ? CidrRange.create({ addressPrefix: address, prefixLen: length })
    : undefined;
}
