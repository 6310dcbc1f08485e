import { meshHost } from '../../core/model/index.ts';
import type { IngressServer } from '../../core/traffic/index.ts';
import { intersectHosts } from './hosts.ts';
import { type GatewayObject, objectName, type RouteObject, visibleTo } from './objects.ts';

type Server = GatewayObject['spec']['servers'][number];

/** What shares a port must be of one nature: `plain` is chosen by Host, `secure` by server name, of `bytes` there is one. */
export type Nature = 'plain' | 'secure' | 'bytes';

export interface PlacedServer {
  readonly gateway: GatewayObject;
  readonly server: Server;
  readonly index: number;
  readonly nature: Nature;
}

export function serversOf(gateway: GatewayObject): readonly PlacedServer[] {
  return gateway.spec.servers.map((server, index) => ({ gateway, server, index, nature: natureOf(server) }));
}

function natureOf(server: Server): Nature {
  if (server.protocol === 'http') return 'plain';
  return server.protocol === 'tcp' && server.tls === undefined ? 'bytes' : 'secure';
}

/** What is spoken behind TLS, if any. */
export function protocolOf({ protocol, tls }: Server): IngressServer['protocol'] {
  if (tls?.mode === 'passthrough') return 'tls-passthrough';
  return protocol === 'http' || protocol === 'https' ? 'http' : 'tcp';
}

/** Unique among all gateways. */
export function serverName({ gateway, server, index }: PlacedServer): string {
  return `${objectName(gateway)}/${server.name === '' ? index : server.name}`;
}

interface ServerHost {
  /** Of the routes that it is for; undefined: any. */
  readonly namespace: string | undefined;
  readonly host: string;
}

/** Istio: NAMESPACE/HOST, with `.` and `*`. */
export function hostsOf({ gateway, server }: PlacedServer): readonly ServerHost[] {
  const written = server.hosts.length === 0 ? ['*'] : server.hosts;
  return written.map((text) => {
    const slash = text.indexOf('/');
    const namespace = slash < 0 ? '*' : text.slice(0, slash);
    const host = text.slice(slash + 1).toLowerCase();
    return { namespace: namespace === '*' ? undefined : namespace === '.' ? gateway.namespace : namespace, host: host === '' ? '*' : host };
  });
}

export type Attachment =
  /** Under these hosts, which both of them have. */
  | { readonly hosts: readonly string[] }
  /** It names this server, or all, and is not let in. */
  | { readonly refused: string }
  | undefined;

/** Whether, and under what hosts, a route that names this gateway is attached to this server of it. */
export function attach(route: RouteObject, placed: PlacedServer, hostSuffix: string): Attachment {
  const refused = route.kind === 'VirtualService' ? refuseVirtualService(route, placed) : refuseRoute(route, placed);
  if (refused === 'elsewhere') return undefined;
  if (refused !== undefined) return { refused };
  const own = hostsOf(placed).filter((h) => h.namespace === undefined || h.namespace === route.namespace);
  const said = route.spec.hosts.length === 0 ? ['*'] : route.spec.hosts.flatMap((host) => longNames(host, route, hostSuffix));
  const hosts = said.flatMap((host) => own.map((o) => intersectHosts(host, o.host))).filter((host) => host !== undefined);
  return hosts.length === 0
    ? { refused: `none of its hosts is one of ${own.map((o) => o.host).join(', ') || 'those that are for its namespace'}` }
    : { hosts: [...new Set(hosts)] };
}

function longNames(host: string, route: RouteObject, hostSuffix: string): readonly string[] {
  if (host.includes('.') || host === '*') return [host];
  const service = { namespace: route.namespace, name: host };
  return [meshHost(service, hostSuffix), `${host}.${route.namespace}.svc.cluster.local`];
}

type Refusal = string | 'elsewhere' | undefined;

function refuseVirtualService(route: RouteObject, { gateway }: PlacedServer): Refusal {
  if (gateway.spec.origin !== 'istio') return `Gateway ${objectName(gateway)} is of the Gateway API, which attaches its own routes alone`;
  const visible = visibleTo(route.spec.exportTo, route.namespace);
  return visible === undefined || visible.includes(gateway.namespace) ? undefined : `it is not exported to namespace ${gateway.namespace}`;
}

function refuseRoute(route: RouteObject, { gateway, server }: PlacedServer): Refusal {
  if (gateway.spec.origin === 'istio') return `Gateway ${objectName(gateway)} is Istio's, which attaches VirtualServices alone`;
  const named = route.spec.parents.some(
    (p) =>
      p.type === 'gateway' &&
      objectName(p) === objectName(gateway) &&
      (p.section === undefined || p.section === server.name) &&
      (p.port === undefined || p.port === server.port),
  );
  if (!named) return 'elsewhere';
  const kinds = server.routeKinds.length > 0 ? server.routeKinds : impliedKinds(server);
  if (!kinds.includes(route.kind)) return `listener ${server.name} takes ${kinds.join(', ')} alone`;
  return admits(server, route.namespace) ? undefined : `listener ${server.name} takes no routes of namespace ${route.namespace}`;
}

function impliedKinds(server: Server): readonly string[] {
  if (protocolOf(server) === 'http') return ['HTTPRoute', 'GRPCRoute'];
  return server.protocol === 'tls' ? ['TLSRoute', 'TCPRoute'] : ['TCPRoute'];
}

/** Of a namespace's labels only the one that Kubernetes gives to each is known here. */
function admits({ routeNamespaces }: Server, namespace: string): boolean {
  if (!('labels' in routeNamespaces)) return routeNamespaces.includes('*') || routeNamespaces.includes(namespace);
  const wanted = Object.entries(routeNamespaces.labels);
  return wanted.length > 0 && wanted.every(([key, value]) => key === 'kubernetes.io/metadata.name' && value === namespace);
}
