import type {
  DestinationRuleSpec,
  GatewayServer,
  GatewaySpec,
  ReferenceGrantSpec,
  RouteParent,
  RouteSpec,
  ServiceEntrySpec,
  SidecarSpec,
  TelemetrySpec,
  TrafficObject,
  TrafficObjectOf,
  TrafficShiftSpec,
} from '../../core/config/index.ts';
import type { DestinationRef, HttpMatch, WeightedDestination } from '../../core/traffic/index.ts';

type Rule = RouteSpec['http'][number];
type RouteObject = TrafficObjectOf<RouteSpec['origin'], RouteSpec>;

export const anyRequest: HttpMatch = { headers: [], query: [], sourceLabels: {} };

export function to(host: string, more: Partial<DestinationRef> & { readonly weight?: number } = {}): WeightedDestination<DestinationRef> {
  const { weight = 1, ...ref } = more;
  return { destination: { host, ...ref }, weight };
}

export function rule(name: string, destinations: readonly WeightedDestination<DestinationRef>[], more: Partial<Rule> = {}): Rule {
  const matches = more.matches ?? [];
  const conditions = matches.map(() => ({ ports: [], gateways: [] }));
  return { name, matches, conditions, action: { type: 'route', destinations, mirrors: [] }, ...more };
}

export const prefix = (value: string): HttpMatch => ({ ...anyRequest, path: { type: 'prefix', value } });
export const segments = (value: string): HttpMatch => ({ ...anyRequest, path: { type: 'segments', value } });

/** `NAMESPACE/NAME`, for the mesh unless said otherwise. */
export function virtualService(id: string, hosts: readonly string[], http: readonly Rule[], more: Partial<RouteSpec> = {}): RouteObject {
  return routeObject('VirtualService', id, { hosts, http, parents: [{ type: 'mesh' }], ...more });
}

export function routeObject(kind: RouteSpec['origin'], id: string, spec: Partial<RouteSpec>): RouteObject {
  const group = kind === 'VirtualService' ? 'networking.istio.io' : 'gateway.networking.k8s.io';
  const defaults: RouteSpec = { origin: kind, hosts: [], parents: [], http: [], l4: [], exportTo: [], createdAt: 1 };
  return { ...named(group, id), kind, spec: { ...defaults, ...spec } };
}

/** A parent of the Gateway API's routes: `NAMESPACE/NAME` of a service. */
export function callersOf(id: string, port?: number): RouteParent {
  return { type: 'service', ...split(id), ...(port === undefined ? {} : { port }) };
}

export function behind(id: string, more: { readonly section?: string; readonly port?: number } = {}): RouteParent {
  return { type: 'gateway', ...split(id), ...more };
}

export function destinationRule(
  id: string,
  host: string,
  spec: Partial<DestinationRuleSpec> = {},
): TrafficObjectOf<'DestinationRule', DestinationRuleSpec> {
  const defaults = { policy: { ports: [] }, subsets: [], exportTo: [], createdAt: 1 };
  return { ...named('networking.istio.io', id), kind: 'DestinationRule', spec: { host, ...defaults, ...spec } };
}

export function subset(name: string, labels: Readonly<Record<string, string>> = { version: name }): DestinationRuleSpec['subsets'][number] {
  return { name, labels, policy: { ports: [] } };
}

export function serviceEntry(id: string, hosts: readonly string[]): TrafficObjectOf<'ServiceEntry', ServiceEntrySpec> {
  const spec = { hosts, addresses: [], ports: [], location: 'external', resolution: 'dns', endpoints: [] } as const;
  return {
    ...named('networking.istio.io', id),
    kind: 'ServiceEntry',
    spec: { ...spec, workloadSelector: {}, exportTo: [], subjectAltNames: [], createdAt: 1 },
  };
}

export function grant(id: string, from: { readonly kind: string; readonly namespace: string }, name?: string): TrafficObject {
  const spec: ReferenceGrantSpec = {
    from: [{ group: 'gateway.networking.k8s.io', ...from }],
    to: [{ group: '', kind: 'Service', ...(name === undefined ? {} : { name }) }],
  };
  return { ...named('gateway.networking.k8s.io', id), kind: 'ReferenceGrant', spec };
}

export function gateway(
  id: string,
  servers: readonly Partial<GatewayServer>[],
  more: Partial<GatewaySpec> = {},
): TrafficObjectOf<'Gateway', GatewaySpec> {
  const plain: GatewayServer = {
    name: '',
    port: 80,
    protocol: 'http',
    hosts: ['*'],
    httpsRedirect: false,
    routeNamespaces: ['*'],
    routeKinds: [],
  };
  const origin = more.origin ?? 'istio';
  const spec: GatewaySpec = {
    origin,
    selector: { istio: 'ingress' },
    servers: servers.map((s) => ({ ...plain, ...s })),
    createdAt: 1,
    ...more,
  };
  return { ...named(origin === 'istio' ? 'networking.istio.io' : 'gateway.networking.k8s.io', id), kind: 'Gateway', spec };
}

function named(
  group: string,
  id: string,
): { readonly group: string; readonly scope: 'mesh'; readonly namespace: string; readonly name: string } {
  return { group, scope: 'mesh', ...split(id) };
}

function split(id: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = id.split('/');
  return { namespace, name };
}

export function sidecar(id: string, spec: Partial<SidecarSpec> = {}): TrafficObjectOf<'Sidecar', SidecarSpec> {
  return { ...named('networking.istio.io', id), kind: 'Sidecar', spec: { workloadSelector: {}, createdAt: 1, ...spec } };
}

export function telemetry(
  id: string,
  accessLogging: TelemetrySpec['accessLogging'],
  selector: TelemetrySpec['selector'] = {},
  createdAt = 1,
): TrafficObjectOf<'Telemetry', TelemetrySpec> {
  return { ...named('telemetry.istio.io', id), kind: 'Telemetry', spec: { selector, accessLogging, createdAt } };
}

/** Of the service `NAMESPACE/NAME`, from file/old of cluster east to file/new of it, unless said otherwise. */
export function trafficShift(
  id: string,
  weight: number,
  spec: Partial<TrafficShiftSpec> = {},
  name = split(id).name,
): TrafficObjectOf<'TrafficShift', TrafficShiftSpec> {
  const { namespace, name: service } = split(id);
  const side = (registry: string) => ({ cluster: 'east', registry });
  const defaults = { service, from: side('file/old'), to: side('file/new'), weight, mirrorPercent: 0 };
  const object = { group: 'isthmus.dev', namespace, name, scope: 'mesh' as const };
  return { ...object, kind: 'TrafficShift', spec: { ...defaults, ...spec } };
}
