import { gatewaySubsetOf, localClusterName, type NetworkId, type ServicePort, sniName } from '../../core/model/index.ts';
import type { ClusterTraffic } from '../../core/traffic/index.ts';
import type { CatalogEndpoint, MergedService } from '../catalog/index.ts';
import { selectable } from './assign-endpoints.ts';
import { directEndpoint, wholeWeight } from './direct-endpoint.ts';
import type { AssignmentIr, Resource } from './ir.ts';
import { seal, sealAgain } from './seal.ts';
import { isMember, type SubsetTarget } from './subset.ts';

/** Of a gateway, and the name of the service for callers. */
export interface GatewayPlace {
  /** Mesh cluster. */
  readonly cluster: string;
  readonly network: NetworkId;
  readonly host: string;
  /** The mesh's own. */
  readonly trustDomain: string;
}

/** What a gateway takes from other networks: this cluster's endpoints on its own network, and nothing else. */
export function gatewayRoutes(
  service: MergedService,
  port: ServicePort,
  targets: readonly SubsetTarget[],
  place: GatewayPlace,
): readonly Resource[] {
  return targets.flatMap((target) => [true, false].flatMap((mesh) => oneRoute(service, port, target, { ...place, mesh })));
}

/** Which endpoints a gateway leads to, and whether they end mTLS themselves. */
interface Local extends GatewayPlace {
  readonly mesh: boolean;
}

function isForeign({ policies }: SubsetTarget, { port }: ServicePort, { trustDomain }: GatewayPlace): boolean {
  const foreign = policies?.get(port)?.foreign;
  return foreign !== undefined && foreign.trustDomain !== trustDomain;
}

function oneRoute(service: MergedService, port: ServicePort, target: SubsetTarget, whose: Local): readonly Resource[] {
  // In the clear, on behalf of whoever calls, it is nothing that they would take.
  if (!whose.mesh && isForeign(target, port, whose)) return [];
  // The route stands while all of them are down, so that callers learn "no healthy endpoint" and not "no such service".
  if (!service.endpoints.some((e) => isLocal(e, port, target, whose))) return [];
  const asked = { port: port.port, subset: whose.mesh ? target.name : gatewaySubsetOf(target.name), host: whose.host };
  const name = localClusterName(asked);
  const traffic = ofGateway(target.policies?.get(port.port)?.traffic);
  const route = seal('route', sniName(asked), {
    mode: whose.mesh ? 'passthrough' : 'terminate',
    cluster: name,
    protocol: port.protocol,
    authz: whose.mesh ? '' : service.key,
  });
  const cluster = seal('cluster', name, {
    host: whose.host,
    namespace: service.namespace,
    service: service.name,
    port: port.port,
    protocol: port.protocol,
    connectTimeoutMs: traffic?.connections?.connectTimeoutMs ?? 0,
    ...(traffic === undefined ? {} : { traffic }),
  });
  return [route, cluster, localEndpoints(name, service, port, target, whose)];
}

/**
 * Of what callers are told, what still has a meaning where their connections are carried on: how backends are chosen as long as no
 * request has to be read for it, and when they are left out. Limits are each caller's own, and so are probes, with its own identity.
 */
function ofGateway(traffic: ClusterTraffic | undefined): ClusterTraffic | undefined {
  if (traffic === undefined) return undefined;
  const { loadBalancer, outlier, connections } = traffic;
  const { connectTimeoutMs, tcpKeepalive } = connections ?? {};
  const kept: ClusterTraffic = {
    ...(loadBalancer === undefined || loadBalancer.type === 'hash' ? {} : { loadBalancer }),
    ...(outlier === undefined ? {} : { outlier }),
    ...(connectTimeoutMs === undefined && tcpKeepalive === undefined
      ? {}
      : {
          connections: {
            ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
            ...(tcpKeepalive === undefined ? {} : { tcpKeepalive }),
          },
        }),
  };
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function isLocal(e: CatalogEndpoint, port: ServicePort, target: SubsetTarget, { cluster, network, mesh }: Local): boolean {
  return (
    e.cluster === cluster && e.network === network && e.tunnel === undefined && (e.tlsMode === 'mesh') === mesh && isMember(e, port, target)
  );
}

/** A function of its own: what makes it again keeps these parameters alive, neither the whole view nor lists of its own. */
function localEndpoints(name: string, service: MergedService, port: ServicePort, target: SubsetTarget, whose: Local): Resource {
  return sealAgain('endpoints', name, () =>
    localAssignment(
      service.endpoints.filter((e) => isLocal(e, port, target, whose)),
      port,
    ),
  );
}

/** Bytes go on as they came (passthrough) or in the clear (terminate): no TLS of the gateway's own either way. */
function localAssignment(endpoints: readonly CatalogEndpoint[], port: ServicePort): AssignmentIr {
  const usable = selectable(endpoints, port);
  const anyLive = usable.some((e) => e.state === 'live');
  const rank = (e: CatalogEndpoint) => (anyLive && e.state === 'stale' ? 1 : 0);
  const list = usable.map((e) => ({
    address: e.address,
    port: e.ports[port.name] ?? 0,
    weight: wholeWeight(e),
    priority: rank(e),
    ...directEndpoint(e),
  }));
  return {
    endpoints: list.sort((a, b) => a.priority - b.priority || (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port)),
  };
}
