import {
  clusterSetHost,
  gatewaySubset,
  localClusterName,
  meshHost,
  type NetworkId,
  outboundClusterName,
  type ServicePort,
  sniName,
} from '../../core/model/index.ts';
import type { CatalogEndpoint, MergedService } from '../catalog/index.ts';
import type { ServiceAuthz } from '../policy/index.ts';
import { assignEndpoints, selectable } from './assign-endpoints.ts';
import { findGatewayPort, type SnapshotInputs } from './inputs.ts';
import type { AssignmentIr, ClientClass, Resource, RouteIr } from './ir.ts';
import { seal, sealAgain } from './seal.ts';

/** Everything one class of clients is told because of one service. Pure; names are unique over all services. */
export function buildService(service: MergedService, client: ClientClass, inputs: SnapshotInputs): readonly Resource[] {
  return client.kind === 'agent' ? forAgent(service, client, inputs) : forGateway(service, client, inputs);
}

function forAgent(service: MergedService, client: ClientClass, inputs: SnapshotInputs): readonly Resource[] {
  const host = meshHost(service, inputs.hostSuffix);
  const listener = seal('listener', host, {
    type: 'service',
    namespace: service.namespace,
    service: service.name,
    hosts: [host, clusterSetHost(service)],
    ports: service.ports.map((p) => ({
      port: p.port,
      name: p.name,
      protocol: p.protocol,
      cluster: outboundClusterName({ port: p.port, subset: '', host }),
    })),
  });
  return [listener, ...service.ports.flatMap((port) => outbound(service, port, client, inputs)), authzOf(service, inputs)];
}

function forGateway(service: MergedService, client: ClientClass, inputs: SnapshotInputs): readonly Resource[] {
  const routed = service.ports.flatMap((port) => localRoutes(service, port, client, inputs));
  const originated = service.ports.flatMap((port) => originate(service, port, client, inputs));
  const terminates = routed.some((r) => r.kind === 'route' && (r.value as RouteIr).mode === 'terminate');
  const authz = terminates ? [authzOf(service, inputs)] : [];
  return [...routed, ...originated, ...authz];
}

/** The xDS cluster of callers, and where its endpoints are as seen from the client's network. */
function outbound(service: MergedService, port: ServicePort, client: ClientClass, inputs: SnapshotInputs): readonly Resource[] {
  const host = meshHost(service, inputs.hostSuffix);
  const name = outboundClusterName({ port: port.port, subset: '', host });
  // Not the whole view: what is made again later must not keep an old one alive.
  const { cluster, gateways } = inputs.view;
  const { hostSuffix } = inputs;
  const context = { view: { cluster, gateways }, hostSuffix, trustDomain: inputs.trust.trustDomain, network: client.network };
  return [clusterResource(name, service, port, host), sealAgain('endpoints', name, () => assignEndpoints(service, port, context))];
}

/** What a gateway takes from other networks: this cluster's endpoints on its own network, and nothing else. */
function localRoutes(service: MergedService, port: ServicePort, client: ClientClass, inputs: SnapshotInputs): readonly Resource[] {
  const host = meshHost(service, inputs.hostSuffix);
  return (['', gatewaySubset] as const).flatMap((subset) => {
    const whose = { cluster: inputs.view.cluster, network: client.network, mesh: subset === '' };
    // The route stands while all of them are down, so that callers learn "no healthy endpoint" and not "no such service".
    if (!service.endpoints.some((e) => isLocal(e, port, whose))) return [];
    const target = { port: port.port, subset, host };
    const name = localClusterName(target);
    const route = seal('route', sniName(target), {
      mode: whose.mesh ? 'passthrough' : 'terminate',
      cluster: name,
      protocol: port.protocol,
      authz: whose.mesh ? '' : service.key,
    });
    return [route, clusterResource(name, service, port, host), localEndpoints(name, service, port, whose)];
  });
}

/** Which endpoints a gateway leads to, and whether they end mTLS themselves. */
interface Local {
  readonly cluster: string;
  readonly network: NetworkId;
  readonly mesh: boolean;
}

function isLocal(e: CatalogEndpoint, port: ServicePort, { cluster, network, mesh }: Local): boolean {
  return e.cluster === cluster && e.network === network && e.ports[port.name] !== undefined && (e.tlsMode === 'mesh') === mesh;
}

/** A function of its own: what makes it again keeps these parameters alive, neither the whole view nor lists of its own. */
function localEndpoints(name: string, service: MergedService, port: ServicePort, whose: Local): Resource {
  return sealAgain('endpoints', name, () =>
    localAssignment(
      service.endpoints.filter((e) => isLocal(e, port, whose)),
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
    weight: e.health === 'draining' ? 0 : Math.max(e.weight === 0 ? 0 : 1, Math.round(e.weight)),
    priority: rank(e),
    cluster: e.cluster,
    network: e.network,
    locality: [e.locality.region, e.locality.zone, e.locality.subzone].join('/').replace(/\/+$/, ''),
    runtime: e.runtime,
    instance: e.instance,
    viaGateway: false,
    stale: e.state === 'stale',
    draining: e.health === 'draining',
  }));
  return {
    endpoints: list.sort((a, b) => a.priority - b.priority || (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port)),
  };
}

function originate(service: MergedService, port: ServicePort, client: ClientClass, inputs: SnapshotInputs): readonly Resource[] {
  const entry = findGatewayPort(inputs.gatewayPorts, service.key, port.port);
  if (entry === undefined) return [];
  const [cluster, endpoints] = outbound(service, port, client, inputs);
  if (cluster === undefined || endpoints === undefined) return [];
  const listener = seal('listener', `originate|${entry.gatewayPort}`, {
    type: 'originate',
    port: entry.gatewayPort,
    protocol: port.protocol,
    cluster: cluster.name,
    allowedCidrs: [...inputs.originateCidrs].sort(),
    namespace: service.namespace,
    service: service.name,
  });
  return [cluster, endpoints, listener];
}

function clusterResource(name: string, service: MergedService, port: ServicePort, host: string): Resource {
  return seal('cluster', name, {
    host,
    namespace: service.namespace,
    service: service.name,
    port: port.port,
    protocol: port.protocol,
    connectTimeoutMs: 0,
  });
}

function authzOf(service: MergedService, inputs: SnapshotInputs): Resource {
  const { rules, selectedBy } = compileAuthz(service, inputs);
  // Who is refused here may still be let in there: that is not known here, so the service is not kept from anybody.
  const elsewhere = selectedBy !== undefined && service.endpoints.some((e) => e.cluster !== inputs.view.cluster);
  return seal('authz', service.key, elsewhere ? { rules, elsewhere } : { rules });
}

/** Runs the policies in order over an empty draft: nobody may call until one says so. */
export function compileAuthz(service: MergedService, inputs: SnapshotInputs): ServiceAuthz {
  return inputs.policies.reduce<ServiceAuthz>((draft, policy) => policy.apply(draft, service, inputs.view), {
    service: service.key,
    rules: [],
  });
}
