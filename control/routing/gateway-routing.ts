import type { ClusterRef, HttpRule, L4Rule, Routing, VirtualHost } from '../../core/traffic/index.ts';
import { compareText } from '../catalog/index.ts';
import type { RuleContext } from './destinations.ts';
import { compileRouteRules } from './gateway-api-order.ts';
import { attach, hostsOf, type PlacedServer, protocolOf } from './gateway-server.ts';
import { intersectHosts } from './hosts.ts';
import { objectName, type RouteObject } from './objects.ts';
import { compileL4Rules, virtualServiceRules, withUniqueNames } from './rules.ts';

/** What compiling a server needs besides it. */
export type GatewayContext = Pick<RuleContext, 'lookup' | 'onService'>;

/** Of servers that share a port in the clear, or of one alone. On gateways Istio merges as well: older VirtualServices come first. */
export function httpRouting(servers: readonly PlacedServer[], context: GatewayContext): Routing {
  const domains = new Map<string, HttpRule<ClusterRef>[]>();
  for (const placed of servers) {
    for (const [domain, rules] of placed.server.httpsRedirect ? redirects(placed) : attached(placed, context)) {
      domains.set(domain, [...(domains.get(domain) ?? []), ...rules]);
    }
  }
  const port = servers[0]?.server.port ?? 0;
  const virtualHosts = [...domains].map(
    ([domain, rules]): VirtualHost => ({ name: `${domain}:${port}`, domains: [domain], rules: withUniqueNames(rules) }),
  );
  return { virtualHosts: virtualHosts.sort((a, b) => compareText(a.name, b.name)), l4: [] };
}

function redirects(placed: PlacedServer): ReadonlyMap<string, readonly HttpRule<ClusterRef>[]> {
  const rule: HttpRule<ClusterRef> = {
    name: `${objectName(placed.gateway)}/https-redirect`,
    matches: [],
    action: { type: 'redirect', scheme: 'https', status: 301 },
  };
  return new Map(hostsOf(placed).map(({ host }) => [host, [rule]]));
}

function attached(placed: PlacedServer, context: GatewayContext): ReadonlyMap<string, readonly HttpRule<ClusterRef>[]> {
  const byDomain = new Map<string, RouteObject[]>();
  for (const { route, hosts } of routesOf(placed, context)) {
    if (route.spec.http.length === 0) continue;
    for (const host of hosts) byDomain.set(host, [...(byDomain.get(host) ?? []), route]);
  }
  const full = contextOf(placed, context);
  const all = [...byDomain].map(([domain, routes]) => [domain, rulesOf(routes, full)] as const);
  // Who says nothing of this server leaves a host to who says something of all.
  return new Map(all.filter(([, rules]) => rules.length > 0));
}

function rulesOf(routes: readonly RouteObject[], context: Omit<RuleContext, 'object'>): readonly HttpRule<ClusterRef>[] {
  if (routes[0]?.kind !== 'VirtualService') return compileRouteRules(routes, context);
  return routes.flatMap((object) => virtualServiceRules(object, context));
}

function routesOf(
  placed: PlacedServer,
  { lookup }: GatewayContext,
): readonly { readonly route: RouteObject; readonly hosts: readonly string[] }[] {
  return lookup.gatewayRoutes(placed.gateway).flatMap((route) => {
    const found = attach(route, placed, lookup.hostSuffix);
    return found !== undefined && 'hosts' in found ? [{ route, hosts: found.hosts }] : [];
  });
}

function contextOf(placed: PlacedServer, context: GatewayContext): Omit<RuleContext, 'object'> {
  return { ...context, listenerPort: placed.server.port, gateway: objectName(placed.gateway) };
}

/** Of bytes, or of TLS that goes through: then by the server names that route and server both have. */
export function l4Routing(placed: PlacedServer, context: GatewayContext): Routing {
  const full = contextOf(placed, context);
  const through = protocolOf(placed.server) === 'tls-passthrough';
  const rules = routesOf(placed, context).flatMap(({ route, hosts }) => {
    const types = through || placed.server.protocol === 'tls' ? (['tls', 'tcp'] as const) : (['tcp'] as const);
    const found = types.flatMap((type) => compileL4Rules(route, type, { ...full, object: route }));
    return through ? found.flatMap((rule) => named(rule, hosts)) : found;
  });
  return { virtualHosts: [], l4: withUniqueNames(rules) };
}

function named(rule: L4Rule<ClusterRef>, hosts: readonly string[]): readonly L4Rule<ClusterRef>[] {
  const all = rule.matches.length === 0 ? [{ destinationSubnets: [], sniHosts: [], sourceLabels: {} }] : rule.matches;
  const matches = all
    .map((match) => {
      const wanted = match.sniHosts.length === 0 ? ['*'] : match.sniHosts;
      const both = wanted.flatMap((sni) => hosts.map((host) => intersectHosts(sni, host))).filter((host) => host !== undefined);
      return { ...match, sniHosts: [...new Set(both)] };
    })
    .filter((match) => match.sniHosts.length > 0)
    .map((match) => (match.sniHosts.includes('*') ? { ...match, sniHosts: [] } : match));
  return matches.length === 0 ? [] : [{ ...rule, matches }];
}
