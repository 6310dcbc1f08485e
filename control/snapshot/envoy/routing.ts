import type { ClusterRef, HashKey, HttpRule, Routing, VirtualHost } from '../../../core/traffic/index.ts';
import { type HttpHost, RouteConfiguration, routeConfiguration, type TrafficSource } from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { DialectResource } from '../dialect.ts';
import type { Resource } from '../ir.ts';
import { sealed } from './sealed.ts';

/** Looks up what traffic goes by, and remembers nothing: whatever it is asked for shows in versions. */
export type FindCluster = (name: string) => Resource<'cluster'> | undefined;

/** What requests are spread by, for each xDS cluster that rules lead to and that spreads by anything. */
function hashKeys(rules: readonly HttpRule<ClusterRef>[], find: FindCluster): ReadonlyMap<string, HashKey> {
  const names = rules.flatMap(({ action }) => (action.type === 'route' ? action.destinations.map((d) => d.destination.cluster) : []));
  return new Map(
    [...new Set(names)].sort().flatMap((name) => {
      const balancer = name === '' ? undefined : find(name)?.value.traffic?.loadBalancer;
      return balancer?.type === 'hash' ? [[name, balancer.on] as const] : [];
    }),
  );
}

/** The configuration of one listener. `version`: of what the hosts are made from. */
export function routesResource(
  name: string,
  hosts: readonly HttpHost[],
  version: unknown,
  { source, find }: { readonly source: TrafficSource; readonly find: FindCluster },
): DialectResource {
  const rules = hosts.flatMap((host) => host.rules);
  const keys = hashKeys(rules, find);
  const asksSource = rules.some(({ matches }) => matches.some(saysSource));
  const inputs = [version, asksSource ? source : '', [...keys]];
  const context = { source, hashOn: (cluster: string) => keys.get(cluster) };
  return sealed(envoyTypeUrls.route, RouteConfiguration, name, inputs, () => routeConfiguration(name, hosts, context));
}

/** Where somebody names the hosts, each takes the rules of the virtual host that it would be found by; others are not served. */
export function hostsNamed(prefix: string, domains: readonly string[], { virtualHosts }: Routing): readonly HttpHost[] {
  const byHost = new Map<VirtualHost, string[]>();
  for (const domain of domains) {
    const host = virtualHostOf(domain, virtualHosts);
    if (host !== undefined) byHost.set(host, [...(byHost.get(host) ?? []), domain]);
  }
  return [...byHost].map(([host, names]) => ({ name: `${prefix} ${host.name}`, domains: names, rules: host.rules, retries: true }));
}

/** Exact, then the longest suffix, then any. */
function virtualHostOf(domain: string, hosts: readonly VirtualHost[]): VirtualHost | undefined {
  const all = hosts.flatMap((host) => host.domains.map((each) => ({ host, domain: each })));
  const suffixes = all.filter((each) => each.domain.startsWith('*.') && domain.endsWith(each.domain.slice(1)));
  const longest = suffixes.sort((a, b) => b.domain.length - a.domain.length)[0];
  return (all.find((each) => each.domain === domain) ?? longest ?? all.find((each) => each.domain === '*'))?.host;
}

/** Whether a rule is for some callers only, so that it says nothing to the rest. */
export function saysSource({ sourceLabels, sourceNamespace }: { sourceLabels: object; sourceNamespace?: string }): boolean {
  return sourceNamespace !== undefined || Object.keys(sourceLabels).length > 0;
}
