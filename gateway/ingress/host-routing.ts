import { type IngressServer, namesWithin, type Routing, type VirtualHost } from '../../core/traffic/index.ts';

/** By name. */
type FindRouting = (name: string) => Routing | undefined;

/**
 * Where requests go that come to any of these servers: each leads what its hosts and its routing have in common, and who asks for a
 * host is led by the first server that has it. A routing that is not known leads nowhere. Pure.
 */
export function hostRouting(servers: readonly IngressServer[], find: FindRouting): Routing {
  const taken = new Set<string>();
  const take = (names: readonly string[]) => {
    const free = [...new Set(names)].filter((name) => !taken.has(name));
    for (const name of free) taken.add(name);
    return free;
  };
  const virtualHosts = servers.flatMap((server) =>
    hostsLedBy(server, find).flatMap((host) => {
      const domains = take(host.domains);
      return domains.length === 0 ? [] : [{ ...host, name: `${server.name} ${host.name}`, domains }];
    }),
  );
  return { virtualHosts, l4: [] };
}

function hostsLedBy(server: IngressServer, find: FindRouting): readonly VirtualHost[] {
  const hosts = serverNames(server);
  if (server.httpsRedirect) return [httpsOnly(server.name, hosts)];
  return (find(server.routing)?.virtualHosts ?? []).map((host) => ({
    ...host,
    domains: host.domains.flatMap((domain) => namesWithin(domain, hosts)),
  }));
}

function httpsOnly(name: string, hosts: readonly string[]): VirtualHost {
  const rule = { name: `${name}/https-redirect`, matches: [], action: { type: 'redirect', scheme: 'https', status: 301 } } as const;
  return { name: 'https-redirect', domains: hosts.length === 0 ? ['*'] : hosts, rules: [rule] };
}

/** Lower case; empty: any. */
export function serverNames({ hosts }: IngressServer): readonly string[] {
  const names = hosts.map((host) => host.toLowerCase());
  return names.includes('*') ? [] : names;
}
