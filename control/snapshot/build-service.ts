import { clusterSetHost, meshHost, outboundClusterName, type ServicePort } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { ServiceAuthz } from '../policy/index.ts';
import type { ServiceTraffic } from '../routing/index.ts';
import { assignEndpoints } from './assign-endpoints.ts';
import type { ClientPlace } from './client-place.ts';
import { gatewayRoutes } from './gateway-routes.ts';
import { findGatewayPort, type SnapshotInputs } from './inputs.ts';
import type { ClientClass, Resource, RouteIr } from './ir.ts';
import { seal, sealAgain } from './seal.ts';
import { callerTraffic, type SubsetTarget, subsetsOf } from './subset.ts';
import { siteAliases, tunnelledSubsets, tunnelRoutes } from './tunnels.ts';

/** What one service is built from and for. */
export interface BuildContext {
  readonly client: ClientClass;
  readonly inputs: SnapshotInputs;
  /** Of the class: one for all services that are built at once. */
  readonly place: ClientPlace;
  /** xDS clusters that others of the class lead to, beside what the service itself brings; for agents, who get all, without meaning. */
  readonly wanted: (cluster: string) => boolean;
}

/** Everything one class of clients is told because of one service. Pure; names are unique over all services. */
export function buildService(service: MergedService, context: BuildContext): readonly Resource[] {
  switch (context.client.kind) {
    case 'agent':
      return forAgent(service, context);
    case 'gateway':
      return forGateway(service, context);
    case 'ingress':
      return [...everyOutbound(service, context), authzOf(service, context.inputs)];
  }
}

function forAgent(service: MergedService, context: BuildContext): readonly Resource[] {
  const { inputs } = context;
  const host = meshHost(service, inputs.hostSuffix);
  const traffic = inputs.traffic.service(service.key);
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
      ...(traffic?.routing.has(p.port) === true ? { routing: routingName(p, host) } : {}),
    })),
  });
  const routings = service.ports.flatMap((port) => routingOf(port, host, traffic));
  return [listener, ...routings, ...everyOutbound(service, context), ...inbound(service, traffic, inputs), authzOf(service, inputs)];
}

function targetsOf({ key }: MergedService, { client, inputs }: BuildContext): readonly SubsetTarget[] {
  return subsetsOf(callerTraffic(inputs.traffic.service(key), client.namespace));
}

function everyOutbound(service: MergedService, context: BuildContext): readonly Resource[] {
  const targets = targetsOf(service, context);
  return service.ports.flatMap((port) => targets.flatMap((target) => outbound(service, port, target, context)));
}

function routingName(port: ServicePort, host: string): string {
  return `${port.port}|${host}`;
}

function routingOf(port: ServicePort, host: string, traffic: ServiceTraffic | undefined): readonly Resource[] {
  const routing = traffic?.routing.get(port.port);
  return routing === undefined ? [] : [seal('routing', routingName(port, host), routing)];
}

/** Nothing to say where there are no subsets: the server name has an empty one then. */
function inbound(service: MergedService, traffic: ServiceTraffic | undefined, { view }: SnapshotInputs): readonly Resource[] {
  const subsets = (traffic?.subsets ?? []).map((s) => s.name).sort();
  const all = [...subsets, ...tunnelledSubsets(service, subsets, view)];
  return all.length === 0 ? [] : [seal('inbound', service.key, { subsets: all })];
}

/** The xDS cluster of callers, and where its endpoints are as seen from the client's place. */
function outbound(service: MergedService, port: ServicePort, target: SubsetTarget, { place, inputs }: BuildContext): readonly Resource[] {
  const host = meshHost(service, place.hostSuffix);
  const name = outboundClusterName({ port: port.port, subset: target.name, host });
  const traffic = target.policies?.get(port.port)?.traffic;
  const cluster = seal('cluster', name, {
    host,
    namespace: service.namespace,
    service: service.name,
    port: port.port,
    protocol: port.protocol,
    connectTimeoutMs: traffic?.connections?.connectTimeoutMs ?? 0,
    ...(traffic === undefined ? {} : { traffic }),
  });
  const plain = callsInTheClear(service, port, inputs);
  return [cluster, sealAgain('endpoints', name, () => assignEndpoints({ service, port, target, place, plain }))];
}

function forGateway(service: MergedService, context: BuildContext): readonly Resource[] {
  const { client, inputs, place, wanted } = context;
  const host = meshHost(service, inputs.hostSuffix);
  const traffic = inputs.traffic.service(service.key);
  const targets = targetsOf(service, context);
  const { view } = inputs;
  const { trustDomain } = inputs.trust;
  const site = { cluster: view.cluster, network: client.network, host, trustDomain };
  const led = service.ports.flatMap((port) => gatewayRoutes(service, port, targets, site));
  const through = { ...site, view };
  const tunnelled = service.ports.flatMap((port) => tunnelRoutes(service, port, targets, through));
  const routed = [...led, ...siteAliases(led, view, site), ...tunnelled];
  const listeners = service.ports.flatMap((port) => originate(service, port, host, traffic, inputs));
  const called = service.ports.flatMap((port) => {
    const own = findGatewayPort(inputs.gatewayPorts, service.key, port.port) !== undefined;
    const asked = ({ name }: SubsetTarget) => wanted(outboundClusterName({ port: port.port, subset: name, host }));
    // A shift moves weight between clusters that are there already, be it from nothing or to all of it.
    const shifted = targets.some((target) => target.source !== undefined && asked(target));
    return targets
      .filter((target) => (own && target.name === '') || (shifted && target.source !== undefined) || asked(target))
      .flatMap((target) => outbound(service, port, target, { ...context, place }));
  });
  const terminates = routed.some((r) => r.kind === 'route' && (r.value as RouteIr).mode === 'terminate');
  return [...routed, ...called, ...listeners, ...(terminates ? [authzOf(service, inputs)] : [])];
}

/** For callers without a sidecar; what it leads to is `wanted` by its routing. */
function originate(
  service: MergedService,
  port: ServicePort,
  host: string,
  traffic: ServiceTraffic | undefined,
  inputs: SnapshotInputs,
): readonly Resource[] {
  const entry = findGatewayPort(inputs.gatewayPorts, service.key, port.port);
  if (entry === undefined) return [];
  const routing = routingOf(port, host, traffic);
  const listener = seal('listener', `originate|${entry.gatewayPort}`, {
    type: 'originate',
    port: entry.gatewayPort,
    protocol: port.protocol,
    cluster: outboundClusterName({ port: port.port, subset: '', host }),
    allowedCidrs: [...inputs.originateCidrs].sort(),
    namespace: service.namespace,
    service: service.name,
    ...(routing.length === 0 ? {} : { routing: routingName(port, host) }),
  });
  return [listener, ...routing];
}

function authzOf(service: MergedService, inputs: SnapshotInputs): Resource {
  const { rules, selectedBy, tokens, mtls } = compileAuthz(service, inputs);
  const open = (mtls?.ports ?? []).flatMap(({ port, mode }) => (mode === 'strict' ? [] : [{ port, mode }]));
  // Who is refused here may still be let in there: that is not known here, so the service is not kept from anybody.
  const elsewhere = selectedBy !== undefined && service.endpoints.some((e) => e.cluster !== inputs.view.cluster);
  return seal('authz', service.key, {
    rules,
    ...(elsewhere ? { elsewhere } : {}),
    ...(tokens === undefined ? {} : { tokens }),
    ...(open.length === 0 ? {} : { mtls: open }),
  });
}

/** Only where a PeerAuthentication disables mTLS, and there is a listener that takes plaintext: whoever takes both is called by mTLS. */
export function callsInTheClear(service: MergedService, { name, port }: ServicePort, inputs: SnapshotInputs): boolean {
  if (!service.endpoints.some((e) => e.plain?.[name] !== undefined)) return false;
  return compileAuthz(service, inputs).mtls?.ports.some((each) => each.port === port && each.mode === 'disable') === true;
}

/** Runs the policies in order over an empty draft: nobody may call until one says so. */
export function compileAuthz(service: MergedService, inputs: SnapshotInputs): ServiceAuthz {
  return inputs.policies.reduce<ServiceAuthz>((draft, policy) => policy.apply(draft, service, inputs.view), {
    service: service.key,
    rules: [],
  });
}
