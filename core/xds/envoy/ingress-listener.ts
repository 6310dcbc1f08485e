import type { AccessLogging } from '../../access-log/index.ts';
import { type IngressListener, type IngressServer, namesWithin, type Routing } from '../../traffic/index.ts';
import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { FilterChain, FilterChainMatch } from '../gen/envoy/config/listener/v3/listener_components.ts';
import type { ListenerLog } from './access-log.ts';
import { duration } from './any.ts';
import { httpFilters } from './filters.ts';
import { ingressTls } from './ingress-tls.ts';
import { l4Chains } from './l4-chains.ts';
import { proxyLimits } from './limits.ts';
import { inspectTls, listenerBase } from './listeners.ts';
import type { TrafficSource } from './route-match.ts';
import type { HttpHost } from './routes.ts';

/** By name. */
export type FindRouting = (name: string) => Routing | undefined;

/** The configuration of a listener's plain HTTP servers together, or of one that ends TLS. */
export interface IngressRoutes {
  readonly name: string;
  readonly servers: readonly IngressServer[];
}

/** All that the listener asks for over ADS. */
export function ingressRoutes(name: string, { servers }: IngressListener): readonly IngressRoutes[] {
  const http = servers.filter((server) => server.protocol === 'http');
  const plain = http.filter((server) => server.tls === undefined);
  const ends = http.filter((server) => server.tls !== undefined);
  return [
    ...(plain.length === 0 ? [] : [{ name, servers: plain }]),
    ...ends.map((server) => ({ name: `${name}|${server.name}`, servers: [server] })),
  ];
}

/** Who asks for a host is led by the first server that has it. */
export function ingressHosts({ servers }: IngressRoutes, find: FindRouting): readonly HttpHost[] {
  const taken = new Set<string>();
  const take = (names: readonly string[]) => {
    const free = [...new Set(names)].filter((name) => !taken.has(name));
    for (const name of free) taken.add(name);
    return free;
  };
  return servers.flatMap((server): readonly HttpHost[] => {
    const hosts = hostsOf(server);
    if (server.httpsRedirect) {
      const domains = take(hosts.length === 0 ? ['*'] : hosts);
      return domains.length === 0 ? [] : [{ name: server.name, domains, rules: [], retries: false, httpsOnly: true }];
    }
    return (find(server.routing)?.virtualHosts ?? []).flatMap((host) => {
      const domains = take(host.domains.flatMap((domain) => namesWithin(domain, hosts)));
      return domains.length === 0 ? [] : [{ name: `${server.name} ${host.name}`, domains, rules: host.rules, retries: true }];
    });
  });
}

/** One port of an ingress gateway. Undefined where none of its servers can be told from another. */
export function ingressListener(
  name: string,
  listener: IngressListener,
  { find, source, logging }: { readonly find: FindRouting; readonly source: TrafficSource; readonly logging?: AccessLogging | undefined },
): Listener | undefined {
  const log = { name, logging };
  const secure = listener.servers.some(isTls);
  const routes = ingressRoutes(name, listener);
  const [plain] = routes.filter((each) => each.servers[0]?.tls === undefined);
  const chains = [
    ...(plain === undefined ? [] : [plainChain(log, plain.name)]),
    ...listener.servers.flatMap((server) => {
      const l4 = { l4: find(server.routing)?.l4 ?? [], source };
      const options = { listener: log, statPrefix: 'ingress' };
      if (server.protocol === 'tls-passthrough') return l4Chains(l4, { ...options, hosts: hostsOf(server) });
      if (server.tls === undefined) return server.protocol === 'http' ? [] : l4Chains(l4, options);
      const transportSocket = ingressTls(server.tls, server.protocol === 'http');
      if (server.protocol === 'tcp') return late(l4Chains(l4, { ...options, hosts: hostsOf(server), transportSocket }));
      const filters = httpFilters({ ...options, routes: `${name}|${server.name}` });
      return late(
        namesOf(server).map((match) => FilterChain.create({ name: server.name, filterChainMatch: match, transportSocket, filters })),
      );
    }),
  ];
  const filterChains = distinct(chains);
  if (filterChains.length === 0) return undefined;
  const at = { address: listener.address === '' ? '0.0.0.0' : listener.address, port: listener.port };
  return Listener.create({ ...listenerBase(name, at, TrafficDirection.INBOUND), ...(secure ? inspectTls : {}), filterChains });
}

function plainChain(listener: ListenerLog, routes: string): FilterChain {
  return FilterChain.create({
    name: 'http',
    filterChainMatch: { transportProtocol: 'raw_buffer' },
    filters: httpFilters({ listener, statPrefix: 'ingress', routes }),
  });
}

function isTls({ protocol, tls }: IngressServer): boolean {
  return protocol === 'tls-passthrough' || tls !== undefined;
}

/** Empty: any. */
function hostsOf({ hosts }: IngressServer): readonly string[] {
  const names = hosts.map((host) => host.toLowerCase());
  return names.includes('*') ? [] : names;
}

/** The wider names after the narrower ones have no meaning to Envoy: it takes the most specific. */
function namesOf(server: IngressServer): FilterChainMatch[] {
  const names = hostsOf(server);
  return [FilterChainMatch.create({ serverNames: [...names], transportProtocol: 'tls' })];
}

function late(chains: readonly FilterChain[]): FilterChain[] {
  return chains.map((chain) => ({ ...chain, transportSocketConnectTimeout: duration(proxyLimits.handshakeTimeoutMs) }));
}

/** One name twice would spoil the listener; the first server has it. */
function distinct(chains: readonly FilterChain[]): FilterChain[] {
  const taken = new Set<string>();
  return chains.flatMap((chain) => {
    const { serverNames = [], transportProtocol = '', prefixRanges = [] } = chain.filterChainMatch ?? {};
    const place = `${transportProtocol} ${prefixRanges.map((r) => `${r.addressPrefix}/${r.prefixLen}`).join()}`;
    const names = serverNames.length === 0 ? ['*'] : serverNames;
    const free = names.filter((each) => !taken.has(`${place} ${each}`));
    for (const each of free) taken.add(`${place} ${each}`);
    if (free.length === 0) return [];
    if (free.length === names.length) return [chain];
    return [{ ...chain, filterChainMatch: FilterChainMatch.create({ ...chain.filterChainMatch, serverNames: free }) }];
  });
}
