import {
  clusterSan,
  formatLocality,
  formatSpiffeId,
  gatewayServiceAccount,
  gatewaySubsetOf,
  meshHost,
  type ServicePort,
  siteSubsetOf,
  sniName,
  systemNamespace,
  tunnelSubsetOf,
} from '../../core/model/index.ts';
import type { CatalogEndpoint, GatewayRecord, MergedService } from '../catalog/index.ts';
import type { ClientPlace } from './client-place.ts';
import { directEndpoint } from './direct-endpoint.ts';
import { gatewaysFor, siteGateways } from './gateways-for.ts';
import type { EndpointIr, TlsIr } from './ir.ts';
import { isMember, type SubsetTarget } from './subset.ts';

/** One place to connect to, before weights and priorities are fixed. */
export interface Candidate {
  /** Among those that are equally near and equally fresh, lower first. */
  readonly tier: number;
  /** Of the backends it stands for; 0: draining. */
  readonly weight: number;
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  /** Those that all of its backends have. */
  readonly labels: Readonly<Record<string, string>>;
  readonly endpoint: Omit<EndpointIr, 'address' | 'port' | 'weight' | 'priority' | 'tls'> & { readonly tls: TlsIr | undefined };
}

const tiers = { direct: 0, ownCluster: 1, peers: 2 } as const;

/** Which (service, port, subset), and who asks. */
export interface Asked {
  readonly service: MergedService;
  readonly port: ServicePort;
  readonly target: SubsetTarget;
  readonly place: ClientPlace;
  /** Own endpoints of its network that have a listener for plaintext are called there, in the clear. Default false. */
  readonly plain?: boolean;
}

/** On the client's own network. Endpoints of one workload are expected to present the same: said once, they share it. */
export function directCandidates(endpoints: readonly CatalogEndpoint[], asked: Asked, unhealthy: boolean): readonly Candidate[] {
  const known = new Map<string, TlsIr>();
  const foreign = foreignTls(asked);
  const tlsOf = (e: CatalogEndpoint): TlsIr | undefined => {
    if (foreign !== undefined) return foreign;
    if (e.tlsMode !== 'mesh') return undefined;
    const id = `${e.cluster} ${e.identityNamespace} ${e.serviceAccount}`;
    // No subset: nobody on the way has to choose by it, and endpoints need not know of subsets.
    const tls = known.get(id) ?? workloadTls(asked, [e], e.cluster, '');
    known.set(id, tls);
    return tls;
  };
  const { name } = asked.port;
  const own = asked.place.view.cluster;
  return endpoints.map((e) => {
    const door = asked.plain === true && foreign === undefined && e.cluster === own ? e.plain?.[name] : undefined;
    if (door !== undefined) return directCandidate(e, { address: door.address, port: door.port }, undefined, unhealthy);
    return directCandidate(e, { address: e.address, port: e.ports[name] ?? 0 }, tlsOf(e), unhealthy);
  });
}

function directCandidate(e: CatalogEndpoint, at: Candidate['addresses'][number], tls: TlsIr | undefined, unhealthy: boolean): Candidate {
  const endpoint = {
    tls,
    ...directEndpoint(e),
  };
  return {
    tier: tiers.direct,
    weight: e.health === 'draining' ? 0 : e.weight,
    addresses: [at],
    labels: e.labels,
    endpoint: unhealthy ? { ...endpoint, unhealthy } : endpoint,
  };
}

type RemoteGroup = readonly [CatalogEndpoint, ...CatalogEndpoint[]];

/** On other networks: one for each gateway address and mTLS end. Without a gateway of its network an endpoint has none. */
export function remoteCandidates(endpoints: readonly CatalogEndpoint[], asked: Asked): readonly Candidate[] {
  // A gateway would take their part, and they know nothing of it.
  if (foreignTls(asked) !== undefined) return [];
  return groupRemote(endpoints).flatMap((group) =>
    group[0].tunnel === undefined ? gatewayCandidates(group, asked) : tunnelCandidates(group, asked),
  );
}

/** By (cluster, network, who ends mTLS, stale): what one gateway address stands for. Of what keeps tunnels, by which gateways it keeps them to. */
function groupRemote(endpoints: readonly CatalogEndpoint[]): readonly RemoteGroup[] {
  const groups = new Map<string, [CatalogEndpoint, ...CatalogEndpoint[]]>();
  for (const e of endpoints) {
    if (e.health === 'draining') continue;
    const key = `${e.cluster} ${e.network} ${e.tlsMode} ${e.state} ${e.tunnel?.gateways.join() ?? '-'}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [e]);
    else group.push(e);
  }
  return [...groups.values()];
}

function gatewayCandidates(group: RemoteGroup, asked: Asked): readonly Candidate[] {
  const [first] = group;
  const { view } = asked.place;
  const dialled = addressesOf(gatewaysFor(view, first.cluster, first.network));
  const addresses = dialled.length > 0 ? dialled : addressesOf(holdersOf(first, view));
  if (addresses.length === 0) return [];
  const named = dialled.length > 0 ? (subset: string) => subset : (subset: string) => siteSubsetOf(first, subset);
  const subset = asked.target.name;
  const tls =
    first.tlsMode === 'mesh'
      ? workloadTls(asked, behind(asked, first), first.cluster, named(subset))
      : gatewayTls(asked, first.cluster, named(gatewaySubsetOf(subset)));
  return [throughGateways(group, asked, addresses, tls)];
}

/** Of a network that no gateway can be dialled of: our own gateways that hold a tunnel of one. */
function holdersOf({ cluster, network }: CatalogEndpoint, view: ClientPlace['view']): readonly GatewayRecord[] {
  const kept = new Set(siteGateways(view, cluster, network).flatMap((g) => g.tunnel?.gateways ?? []));
  return kept.size === 0 ? [] : ownGateways(view, view.cluster, (g) => kept.has(`${g.cluster}/${g.instance}`));
}

/** What keeps tunnels: through the gateways of its cluster that hold them, for callers of every network. */
function tunnelCandidates(group: RemoteGroup, asked: Asked): readonly Candidate[] {
  const [first] = group;
  const kept = new Set(first.tunnel?.gateways);
  const addresses = addressesOf(ownGateways(asked.place.view, first.cluster, (g) => kept.has(g.instance)));
  if (addresses.length === 0) return [];
  return [
    throughGateways(group, asked, addresses, workloadTls(asked, behind(asked, first), first.cluster, tunnelSubsetOf(asked.target.name))),
  ];
}

function ownGateways(view: ClientPlace['view'], cluster: string, isOne: (g: GatewayRecord) => boolean): readonly GatewayRecord[] {
  const all = [...view.gateways.values()].flat().filter((g) => g.cluster === cluster && !g.draining && g.addresses.length > 0 && isOne(g));
  const healthy = all.filter((g) => g.healthy);
  return healthy.length > 0 ? healthy : all;
}

function addressesOf(gateways: readonly GatewayRecord[]): Candidate['addresses'] {
  return gateways.flatMap((g) => g.addresses.map((address) => ({ address, port: g.port })));
}

function throughGateways(group: RemoteGroup, asked: Asked, addresses: Candidate['addresses'], tls: TlsIr): Candidate {
  const [first] = group;
  const { view } = asked.place;
  const stale = first.state === 'stale';
  const subset = behind(asked, first).filter((e) => isMember(e, asked.port, asked.target));
  return {
    tier: stale || first.cluster === view.cluster ? tiers.ownCluster : tiers.peers,
    weight: group.reduce((sum, e) => sum + e.weight, 0),
    addresses,
    labels: commonLabels(subset),
    endpoint: {
      tls,
      cluster: first.cluster,
      network: first.network,
      locality: mainLocality(subset),
      runtime: new Set(group.map((e) => e.runtime)).size === 1 ? first.runtime : '',
      instance: '',
      viaGateway: true,
      stale,
      draining: false,
    },
  };
}

/**
 * All that the gateway may lead to: it picks by its own, newer view of health and labels, so a caller that expected only those it
 * believes to be meant would refuse a right answer, and every change of health would change what callers demand.
 */
function behind({ service, port }: Asked, like: CatalogEndpoint): readonly CatalogEndpoint[] {
  return service.endpoints.filter(
    (e) =>
      e.cluster === like.cluster &&
      e.tlsMode === like.tlsMode &&
      e.ports[port.name] !== undefined &&
      // A gateway leads to what it has tunnels of wherever that is, and else into its own network.
      (like.tunnel === undefined ? e.tunnel === undefined && e.network === like.network : e.tunnel !== undefined),
  );
}

/**
 * Where most of the weight behind a gateway is, whatever its health: one address has one SNI, so that its localities cannot be told
 * apart, and a place that moved with every health check would move traffic between priorities.
 */
function mainLocality(endpoints: readonly CatalogEndpoint[]): string {
  const [first] = endpoints;
  if (first !== undefined && endpoints.every((e) => e.locality === first.locality)) return formatLocality(first.locality);
  const weights = new Map<string, number>();
  for (const e of endpoints) {
    const locality = formatLocality(e.locality);
    weights.set(locality, (weights.get(locality) ?? 0) + e.weight);
  }
  const [main] = [...weights].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return main?.[0] ?? '';
}

function commonLabels(endpoints: readonly CatalogEndpoint[]): Readonly<Record<string, string>> {
  const [first, ...rest] = endpoints;
  if (first === undefined) return {};
  return Object.fromEntries(Object.entries(first.labels).filter(([key, value]) => rest.every((e) => e.labels[key] === value)));
}

/** Undefined: who answers is of the mesh, or of nobody. */
function foreignTls({ port, target, place }: Asked): TlsIr | undefined {
  const foreign = target.policies?.get(port.port)?.foreign;
  if (foreign === undefined || foreign.trustDomain === place.trustDomain) return undefined;
  const { trustDomain, uriSans, host } = foreign;
  // As callers of its own mesh ask for it, should it be one of ours or Istio's.
  const sni = host === '' ? '' : sniName({ port: port.port, subset: '', host });
  return { sni, uriSans, clusterSan: '', trustDomain };
}

function workloadTls({ service, port, place }: Asked, workloads: readonly CatalogEndpoint[], cluster: string, subset: string): TlsIr {
  const { trustDomain } = place;
  const ids = workloads.map((e) => formatSpiffeId({ trustDomain, namespace: e.identityNamespace, serviceAccount: e.serviceAccount }));
  return {
    sni: sniName({ port: port.port, subset, host: meshHost(service, place.hostSuffix) }),
    uriSans: [...new Set(ids)].sort(),
    clusterSan: clusterSan(cluster, trustDomain),
  };
}

function gatewayTls({ service, port, place }: Asked, cluster: string, subset: string): TlsIr {
  const { trustDomain } = place;
  return {
    sni: sniName({ port: port.port, subset, host: meshHost(service, place.hostSuffix) }),
    uriSans: [formatSpiffeId({ trustDomain, namespace: systemNamespace, serviceAccount: gatewayServiceAccount })],
    clusterSan: clusterSan(cluster, trustDomain),
  };
}
