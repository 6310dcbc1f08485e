import type { EndpointIr, Resource } from '../../control/snapshot/index.ts';
import { seal } from '../../control/snapshot/seal.ts';
import type { Protocol } from '../../core/model/index.ts';
import type {
  ClusterRef,
  ClusterTraffic,
  DirectResponse,
  HttpMatch,
  HttpRule,
  RedirectAction,
  RouteAction,
  Routing,
} from '../../core/traffic/index.ts';

const meshName = (service: string) => `${service}.shop.mesh.internal`;
export const clusterName = (service: string, subset = '', port = 80) => `outbound|${port}|${subset}|${meshName(service)}`;

/** A match of everything, but for what is said. */
export function match(more: Partial<HttpMatch> = {}): HttpMatch {
  return { headers: [], query: [], sourceLabels: {}, ...more };
}

/** To services of namespace shop, by their cluster names. */
export function routeTo(to: Readonly<Record<string, number>>, more: Partial<RouteAction<ClusterRef>> = {}): RouteAction<ClusterRef> {
  const destinations = Object.entries(to).map(([cluster, weight]) => ({ destination: { cluster }, weight }));
  return { type: 'route', destinations, mirrors: [], ...more };
}

export function direct(status: number, body?: string): DirectResponse {
  return { type: 'direct', status, ...(body === undefined ? {} : { body: Buffer.from(body) }) };
}

export function rule(
  name: string,
  matches: readonly HttpMatch[],
  action: RouteAction<ClusterRef> | RedirectAction | DirectResponse,
  more: Partial<HttpRule<ClusterRef>> = {},
): HttpRule<ClusterRef> {
  return { name, matches, action, ...more };
}

export function httpRouting(rules: readonly HttpRule<ClusterRef>[]): Routing {
  return { virtualHosts: [{ name: 'all', domains: ['*'], rules }], l4: [] };
}

export function place(port: number, more: Partial<EndpointIr> = {}): EndpointIr {
  return {
    address: '127.0.0.1',
    port,
    weight: 1,
    priority: 0,
    cluster: 'east',
    network: 'east-net',
    locality: '',
    runtime: 'vm',
    instance: `at-${port}`,
    viaGateway: false,
    stale: false,
    draining: false,
    ...more,
  };
}

export interface ServiceScene {
  readonly protocol?: Protocol;
  readonly port?: number;
  readonly routing?: Routing;
  /** By subset; the empty one is the service itself. */
  readonly subsets: Readonly<
    Record<
      string,
      {
        readonly endpoints: readonly EndpointIr[];
        readonly traffic?: ClusterTraffic;
        readonly localities?: readonly { readonly priority: number; readonly locality: string; readonly weight: number }[];
      }
    >
  >;
}

/** All of shop/NAME that clients are told; anyone of namespace shop may call it. */
export function serviceResources(service: string, { protocol = 'http', port = 80, routing, subsets }: ServiceScene): readonly Resource[] {
  const host = meshName(service);
  const routingName = `${port}|${host}`;
  const named = routing === undefined ? {} : { routing: routingName };
  const rules = [{ name: 'shop', action: 'allow' as const, principals: [], namespaces: ['shop'], clusters: [] }];
  const cluster = (subset: string) => clusterName(service, subset, port);
  return [
    seal('listener', host, {
      type: 'service',
      namespace: 'shop',
      service,
      hosts: [host],
      ports: [{ port, name: protocol, protocol, cluster: cluster(''), ...named }],
    }),
    seal('authz', `shop/${service}`, { rules }),
    ...(routing === undefined ? [] : [seal('routing', routingName, routing)]),
    ...Object.entries(subsets).flatMap(([subset, { endpoints, traffic, localities }]) => [
      seal('cluster', cluster(subset), {
        host,
        namespace: 'shop',
        service,
        port,
        protocol,
        connectTimeoutMs: 0,
        ...(traffic === undefined ? {} : { traffic }),
      }),
      seal('endpoints', cluster(subset), { endpoints, ...(localities === undefined ? {} : { localities }) }),
    ]),
  ];
}
