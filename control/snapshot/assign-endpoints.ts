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
  readonly view: Pick<CatalogView, 'cluster' | 'gateways'>;
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
  readonly endpoint: Omit<EndpointIr, 'address' | 'port' | 'weight' | 'priority' | 'tls'> & { readonly tls: TlsIr | undefined };
}

/**
 * How a client on one network reaches a (service, port): endpoints of its own network directly, all others through gateways
 * of theirs, one entry per gateway address and mTLS end. Never a raw address across networks: without a gateway there is
 * no entry, and `unreachable` says so.
 */
export function assignEndpoints(service: MergedService, port: ServicePort, context: AssignContext): AssignmentIr {
  const selected = selectable(service.endpoints, port);
  const tlsOf = sharedTls(service, port, context);
  const direct = selected.filter((e) => e.network === context.network).map((e) => directCandidate(port, e, tlsOf(e)));
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

/** Endpoints of one workload are expected to present the same: said once, they share it. */
function sharedTls(service: MergedService, port: ServicePort, context: AssignContext): (e: CatalogEndpoint) => TlsIr | undefined {
  const known = new Map<string, TlsIr>();
  return (e) => {
    if (e.tlsMode !== 'mesh') return undefined;
    const id = `${e.cluster} ${e.identityNamespace} ${e.serviceAccount}`;
    const tls = known.get(id) ?? workloadTls(service, port, [e], e.cluster, context);
    known.set(id, tls);
    return tls;
  };
}

function directCandidate(port: ServicePort, e: CatalogEndpoint, tls: TlsIr | undefined): Candidate {
  return {
    tier: e.state === 'live' ? tiers.direct : tiers.staleDirect,
    weight: e.health === 'draining' ? 0 : e.weight,
    addresses: [{ address: e.address, port: e.ports[port.name] ?? 0 }],
    endpoint: {
      tls,
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
export function gatewaysFor(view: Pick<CatalogView, 'gateways'>, cluster: string, network: NetworkId): readonly GatewayRecord[] {
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
    return members.flatMap((m, i) => m.addresses.map(({ address, port }) => placed(address, port, shares[i] ?? 0, priority, m.endpoint)));
  });
  return mergeSame(
    endpoints.sort(
      (a, b) =>
        a.priority - b.priority ||
        compare(a.address, b.address) ||
        a.port - b.port ||
        compare(a.tls?.sni ?? '', b.tls?.sni ?? '') ||
        compare(a.tls?.clusterSan ?? '', b.tls?.clusterSan ?? ''),
    ),
  );
}

/** Field by field: spreading what a mesh has most of is several times as costly. The order of the fields is part of the version. */
function placed(address: string, port: number, weight: number, priority: number, of: Candidate['endpoint']): EndpointIr {
  const { tls, cluster, network, locality, runtime, instance, viaGateway, stale, draining } = of;
  const rest = { cluster, network, locality, runtime, instance, viaGateway, stale, draining };
  if (tls === undefined) return { address, port, weight, priority, ...rest };
  return { address, port, weight, priority, tls, cluster, network, locality, runtime, instance, viaGateway, stale, draining };
}

/** Two gateways that advertise one address (a load balancer) are one place to connect to, with the weight of both. */
function mergeSame(sorted: readonly EndpointIr[]): EndpointIr[] {
  const merged: EndpointIr[] = [];
  for (const e of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && samePlace(last, e)) merged[merged.length - 1] = { ...last, weight: last.weight + e.weight };
    else merged.push(e);
  }
  return merged;
}

function samePlace(a: EndpointIr, b: EndpointIr): boolean {
  const same = a.address === b.address && a.port === b.port && a.priority === b.priority;
  return same && a.tls?.sni === b.tls?.sni && a.tls?.clusterSan === b.tls?.clusterSan;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
