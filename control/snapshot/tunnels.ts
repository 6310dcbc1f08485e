import {
  clusterSan,
  formatSpiffeId,
  gatewaySubsetOf,
  localClusterName,
  type NetworkId,
  type ServicePort,
  siteSubsetOf,
  sniName,
  tunnelSubsetOf,
} from '../../core/model/index.ts';
import type { CatalogEndpoint, CatalogView, GatewayRecord, MergedService } from '../catalog/index.ts';
import { selectable } from './assign-endpoints.ts';
import { directEndpoint, wholeWeight } from './direct-endpoint.ts';
import type { GatewayPlace } from './gateway-routes.ts';
import { natted, siteGateways } from './gateways-for.ts';
import type { AssignmentIr, EndpointIr, Resource, RouteIr } from './ir.ts';
import { seal } from './seal.ts';
import { isMember, type SubsetTarget } from './subset.ts';

/** What a gateway has to know of the service that it leads to through tunnels. */
export interface TunnelPlace extends GatewayPlace {
  readonly view: Pick<CatalogView, 'gateways'>;
  readonly trustDomain: string;
}

/**
 * What gateways lead through tunnels that they may hold: to endpoints of their own cluster that nobody can dial, and to networks of
 * peers whose gateways nobody can. All gateways of the cluster are told, whatever their network: who begins a tunnel chooses.
 */
export function tunnelRoutes(
  service: MergedService,
  port: ServicePort,
  targets: readonly SubsetTarget[],
  place: TunnelPlace,
): readonly Resource[] {
  return targets.flatMap((target) => [...toEndpoints(service, port, target, place), ...toSites(service, port, target, place)]);
}

function toEndpoints(service: MergedService, port: ServicePort, target: SubsetTarget, place: TunnelPlace): readonly Resource[] {
  const { cluster } = place;
  const endpoints = service.endpoints.filter((e) => e.cluster === cluster && e.tunnel !== undefined && isMember(e, port, target));
  if (endpoints.length === 0) return [];
  return through(service, port, tunnelSubsetOf(target.name), place, { endpoints: behindTunnels(endpoints, port, place.trustDomain) });
}

/**
 * Unhealthy ones too, without weight: their tunnels stand, so that nothing has to be begun when they are well again.
 */
function behindTunnels(endpoints: readonly CatalogEndpoint[], port: ServicePort, trustDomain: string): readonly EndpointIr[] {
  const usable = new Set(selectable(endpoints, port));
  return endpoints
    .filter((e) => e.ports[port.name] !== undefined)
    .map((e) => ({
      address: e.address,
      port: e.ports[port.name] ?? 0,
      weight: usable.has(e) ? wholeWeight(e) : 0,
      priority: 0,
      ...directEndpoint(e),
      tunnel: {
        instance: e.instance,
        uriSan: formatSpiffeId({ trustDomain, namespace: e.identityNamespace, serviceAccount: e.serviceAccount }),
        clusterSan: clusterSan(e.cluster, trustDomain),
        secretSha256: e.tunnel?.secretSha256 ?? '',
      },
    }))
    .sort((a, b) => (a.instance < b.instance ? -1 : 1));
}

function toSites(service: MergedService, port: ServicePort, target: SubsetTarget, place: TunnelPlace): readonly Resource[] {
  const sites = new Map<string, { readonly cluster: string; readonly network: NetworkId; readonly mesh: boolean }>();
  for (const e of service.endpoints) {
    if (e.cluster === place.cluster || e.tunnel !== undefined || !isMember(e, port, target)) continue;
    const mesh = e.tlsMode === 'mesh';
    sites.set(`${e.cluster} ${e.network} ${mesh}`, { cluster: e.cluster, network: e.network, mesh });
  }
  return [...sites].sort(byKey).flatMap(([, site]) => {
    const gateways = siteGateways(place.view, site.cluster, site.network);
    if (gateways.length === 0) return [];
    const subset = siteSubsetOf(site, site.mesh ? target.name : gatewaySubsetOf(target.name));
    return through(service, port, subset, place, { endpoints: gateways.map((gateway) => behindGateway(gateway, place.trustDomain)) });
  });
}

function behindGateway({ cluster, network, instance, port, tunnel }: GatewayRecord, trustDomain: string): EndpointIr {
  const identity = tunnel?.identity ?? '';
  const [namespace = '', serviceAccount = ''] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity)?.slice(1) ?? [];
  return {
    // The tunnel's name tells it from others; there is no address.
    ...{ address: '::', port, weight: 1, priority: 0, cluster, network, locality: '', runtime: '', instance },
    ...{ viaGateway: false, stale: false, draining: false },
    tunnel: {
      instance: `${namespace}~${serviceAccount}~${instance}`,
      uriSan: identity,
      clusterSan: clusterSan(cluster, trustDomain),
      secretSha256: tunnel?.secretSha256 ?? '',
    },
  };
}

function through(
  service: MergedService,
  { port, protocol }: ServicePort,
  subset: string,
  { host }: GatewayPlace,
  assignment: AssignmentIr,
): readonly Resource[] {
  const asked = { port, subset, host };
  const cluster = localClusterName(asked);
  const { namespace, name } = service;
  return [
    seal('route', sniName(asked), { mode: 'passthrough', cluster, protocol, authz: '', tunnel: true }),
    seal('cluster', cluster, { host, namespace, service: name, port, protocol, connectTimeoutMs: 0 }),
    seal('endpoints', cluster, assignment),
  ];
}

/**
 * Of a gateway that peers cannot dial: its routes under the names that callers of peers ask for too. It leads to what it leads to
 * anyway: its cluster's endpoints on its own network.
 */
export function siteAliases(routes: readonly Resource[], view: Pick<CatalogView, 'gateways'>, site: GatewayPlace): readonly Resource[] {
  if (natted(view, site.cluster, site.network).length === 0) return [];
  return routes.flatMap((resource) => {
    if (resource.kind !== 'route') return [];
    const [, port = '', subset = '', host = ''] = /^outbound_\.([0-9]+)_\.([^.]*)_\.(.*)$/.exec(resource.name) ?? [];
    if (host === '') return [];
    return [seal('route', sniName({ port: Number(port), subset: siteSubsetOf(site, subset), host }), resource.value as RouteIr)];
  });
}

/** Server names under which callers behind gateways may ask the mTLS ends of this cluster, beside that of the service: sorted. */
export function tunnelledSubsets(
  service: MergedService,
  subsets: readonly string[],
  view: Pick<CatalogView, 'cluster' | 'gateways'>,
): readonly string[] {
  const own = service.endpoints.filter((e) => e.cluster === view.cluster && e.tlsMode === 'mesh');
  const forms: ((subset: string) => string)[] = own.some((e) => e.tunnel !== undefined) ? [tunnelSubsetOf] : [];
  for (const network of new Set(own.map((e) => e.network))) {
    const site = { cluster: view.cluster, network };
    if (natted(view, site.cluster, network).length > 0) forms.push((subset) => siteSubsetOf(site, subset));
  }
  return forms.flatMap((form) => ['', ...subsets].map(form)).sort();
}

/** Gateways to begin tunnels at: for workloads those of their own cluster, for gateways those of peers. Sorted by name. */
export function tunnelGateways(
  kind: 'agent' | 'gateway' | 'ingress',
  { cluster, gateways }: Pick<CatalogView, 'cluster' | 'gateways'>,
  trustDomain: string,
  gatewayIdentity: string,
): readonly Resource[] {
  if (kind === 'ingress') return [];
  const isTarget = (g: GatewayRecord) =>
    g.holdsTunnels === true && g.addresses.length > 0 && (g.cluster === cluster) === (kind === 'agent');
  return [...gateways.values()]
    .flat()
    .filter(isTarget)
    .map((g) =>
      seal('tunnelGateway', `${g.cluster}/${g.instance}`, {
        network: g.network,
        addresses: g.addresses,
        port: g.port,
        uriSans: [gatewayIdentity],
        clusterSan: clusterSan(g.cluster, trustDomain),
        draining: g.draining,
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Services whose ways may be others when any gateway is: those behind tunnels, whose gateways are on any network. */
export function leadsThroughTunnels(service: MergedService, { gateways }: Pick<CatalogView, 'gateways'>): boolean {
  if (service.endpoints.some((e) => e.tunnel !== undefined)) return true;
  return service.networks.some((network) => (gateways.get(network) ?? []).some((g) => g.tunnel !== undefined));
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
