import {
  clusterSan,
  formatLocality,
  formatSpiffeId,
  gatewayServiceAccount,
  gatewaySubset,
  meshHost,
  type NetworkId,
  type ServicePort,
  sniName,
  systemNamespace,
} from '../../core/model/index.ts';
import type { CatalogEndpoint, CatalogView, GatewayRecord, MergedService } from '../catalog/index.ts';
import type { AssignmentIr, EndpointIr, TlsIr } from './ir.ts';
import { shareWeights } from './weights.ts';

/** What an assignment is made from besides the service. */
export interface AssignContext {
  readonly view: CatalogView;
  readonly hostSuffix: string;
  readonly trustDomain: string;
  /** Of the client. */
  readonly network: NetworkId;
}

/** One place to connect to, before weights and priorities are fixed. */
interface Candidate {
  readonly tier: number;
  /** Of the backends it stands for; 0: draining. */
  readonly weight: number;
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  readonly endpoint: Omit<EndpointIr, 'address' | 'port' | 'weight' | 'priority'>;
}

/**
 * How a client on one network reaches a (service, port): endpoints of its own network directly, all others through gateways
 * of theirs, one entry per gateway address and mTLS end. Never a raw address across networks: without a gateway there is
 * no entry, and `unreachable` says so.
 */
export function assignEndpoints(service: MergedService, port: ServicePort, context: AssignContext): AssignmentIr {
  const selected = selectable(service.endpoints, port);
  const direct = selected.filter((e) => e.network === context.network).map((e) => directCandidate(service, port, e, context));
  const remote = groupRemote(selected.filter((e) => e.network !== context.network)).flatMap((group) =>
    gatewayCandidates(service, port, group, context),
  );
  return { endpoints: finish([...direct, ...remote]) };
}

/** Healthy ones and draining ones; `unknown` counts as healthy only while nothing is known to be. */
export function selectable(endpoints: readonly CatalogEndpoint[], port: ServicePort): readonly CatalogEndpoint[] {
  const there = endpoints.filter((e) => e.ports[port.name] !== undefined);
  const known = there.some((e) => e.health === 'healthy');
  return there.filter((e) => e.health === 'healthy' || e.health === 'draining' || (e.health === 'unknown' && !known));
}

function directCandidate(service: MergedService, port: ServicePort, e: CatalogEndpoint, context: AssignContext): Candidate {
  const tls = e.tlsMode === 'mesh' ? workloadTls(service, port, [e], e.cluster, context) : undefined;
  return {
    tier: e.state === 'live' ? tiers.direct : tiers.staleDirect,
    weight: e.health === 'draining' ? 0 : e.weight,
    addresses: [{ address: e.address, port: e.ports[port.name] ?? 0 }],
    endpoint: {
      ...(tls === undefined ? {} : { tls }),
      cluster: e.cluster,
      network: e.network,
      locality: formatLocality(e.locality),
      runtime: e.runtime,
      instance: e.instance,
      viaGateway: false,
      stale: e.state === 'stale',
      draining: e.health === 'draining',
    },
  };
}

/** Lower is tried first; finish() makes them contiguous. */
const tiers = { direct: 0, ownCluster: 1, peers: 2, staleDirect: 3, staleRemote: 4 } as const;

type RemoteGroup = readonly [CatalogEndpoint, ...CatalogEndpoint[]];

/** By (cluster, network, who ends mTLS, stale): what one gateway address stands for. */
function groupRemote(endpoints: readonly CatalogEndpoint[]): readonly RemoteGroup[] {
  const groups = new Map<string, [CatalogEndpoint, ...CatalogEndpoint[]]>();
  for (const e of endpoints) {
    if (e.health === 'draining') continue;
    const key = `${e.cluster} ${e.network} ${e.tlsMode} ${e.state}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [e]);
    else group.push(e);
  }
  return [...groups.values()];
}

/** Gateways that take traffic for endpoints of this cluster and network: healthy ones, or all when none is known to be. */
export function gatewaysFor(view: CatalogView, cluster: string, network: NetworkId): readonly GatewayRecord[] {
  const all = (view.gateways.get(network) ?? []).filter((g) => g.cluster === cluster && !g.draining && g.addresses.length > 0);
  const healthy = all.filter((g) => g.healthy);
  return healthy.length > 0 ? healthy : all;
}

function gatewayCandidates(service: MergedService, port: ServicePort, group: RemoteGroup, context: AssignContext): readonly Candidate[] {
  const [first] = group;
  const addresses = gatewaysFor(context.view, first.cluster, first.network).flatMap((g) =>
    g.addresses.map((address) => ({ address, port: g.port })),
  );
  const weight = group.reduce((sum, e) => sum + e.weight, 0);
  if (addresses.length === 0) return [];
  const live = first.state === 'live';
  const tier = !live ? tiers.staleRemote : first.cluster === context.view.cluster ? tiers.ownCluster : tiers.peers;
  const mesh = first.tlsMode === 'mesh';
  const localities = new Set(group.map((e) => formatLocality(e.locality)));
  return [
    {
      tier,
      weight,
      addresses,
      endpoint: {
        tls: mesh
          ? workloadTls(service, port, behind(service, port, first), first.cluster, context)
          : gatewayTls(service, port, first.cluster, context),
        cluster: first.cluster,
        network: first.network,
        locality: localities.size === 1 ? formatLocality(first.locality) : '',
        runtime: new Set(group.map((e) => e.runtime)).size === 1 ? first.runtime : '',
        instance: '',
        viaGateway: true,
        stale: !live,
        draining: false,
      },
    },
  ];
}

/**
 * All that the gateway may lead to: it picks by its own, newer view of health, so a caller that expected only those it
 * believes healthy would refuse a right answer, and every change of health would change what callers demand.
 */
function behind(service: MergedService, port: ServicePort, like: CatalogEndpoint): readonly CatalogEndpoint[] {
  return service.endpoints.filter(
    (e) => e.cluster === like.cluster && e.network === like.network && e.tlsMode === 'mesh' && e.ports[port.name] !== undefined,
  );
}

function workloadTls(
  service: MergedService,
  port: ServicePort,
  workloads: readonly CatalogEndpoint[],
  cluster: string,
  context: AssignContext,
): TlsIr {
  const { trustDomain } = context;
  const ids = workloads.map((e) => formatSpiffeId({ trustDomain, namespace: e.identityNamespace, serviceAccount: e.serviceAccount }));
  return {
    sni: sniName({ port: port.port, subset: '', host: meshHost(service, context.hostSuffix) }),
    uriSans: [...new Set(ids)].sort(),
    clusterSan: clusterSan(cluster, trustDomain),
  };
}

function gatewayTls(service: MergedService, port: ServicePort, cluster: string, context: AssignContext): TlsIr {
  const { trustDomain } = context;
  return {
    sni: sniName({ port: port.port, subset: gatewaySubset, host: meshHost(service, context.hostSuffix) }),
    uriSans: [formatSpiffeId({ trustDomain, namespace: systemNamespace, serviceAccount: gatewayServiceAccount })],
    clusterSan: clusterSan(cluster, trustDomain),
  };
}

/** Contiguous priorities, exact weights within each, one entry per (address, port, sni), sorted. */
function finish(candidates: readonly Candidate[]): readonly EndpointIr[] {
  const order = [...new Set(candidates.map((c) => c.tier))].sort((a, b) => a - b);
  const endpoints = order.flatMap((tier, priority) => {
    const members = candidates.filter((c) => c.tier === tier);
    const shares = shareWeights(members.map((m) => ({ weight: m.weight, addresses: m.addresses.length })));
    return members.flatMap((m, i) => m.addresses.map((at) => ({ ...at, weight: shares[i] ?? 0, priority, ...m.endpoint })));
  });
  return mergeSame(endpoints).sort(
    (a, b) => a.priority - b.priority || compare(a.address, b.address) || a.port - b.port || compare(a.tls?.sni ?? '', b.tls?.sni ?? ''),
  );
}

/** Two gateways that advertise one address (a load balancer) are one place to connect to, with the weight of both. */
function mergeSame(endpoints: readonly EndpointIr[]): EndpointIr[] {
  const byPlace = new Map<string, EndpointIr>();
  for (const e of endpoints) {
    const key = `${e.priority} ${e.address} ${e.port} ${e.tls?.sni ?? ''} ${e.tls?.clusterSan ?? ''}`;
    const known = byPlace.get(key);
    byPlace.set(key, known === undefined ? e : { ...known, weight: known.weight + e.weight });
  }
  return [...byPlace.values()];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
