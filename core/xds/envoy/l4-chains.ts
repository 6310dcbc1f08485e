import { type ClusterRef, type ClusterTraffic, type L4Match, type L4Rule, nameCovers, namesWithin } from '../../traffic/index.ts';
import type { TransportSocket } from '../gen/envoy/config/core/v3/base.ts';
import { FilterChain, FilterChainMatch } from '../gen/envoy/config/listener/v3/listener_components.ts';
import type { ListenerLog } from './access-log.ts';
import { cidrRange } from './endpoints.ts';
import { tcpProxy } from './filters.ts';
import { isFrom, type TrafficSource } from './route-match.ts';

/** Never the name of an xDS cluster: what leads there is closed. */
const nowhere = 'no-destination';

export interface L4Rules {
  readonly l4: readonly L4Rule<ClusterRef>[];
  readonly source: TrafficSource;
}

export interface L4Options {
  readonly listener: ListenerLog;
  readonly statPrefix: string;
  /** Of the xDS cluster that callers mean. */
  readonly traffic?: ClusterTraffic | undefined;
  /** Server names that are in question at all; absent: any, and bytes in the clear. */
  readonly hosts?: readonly string[];
  /** Ends TLS. */
  readonly transportSocket?: TransportSocket;
}

/**
 * One chain for each rule and address. The first rule that matches decides; Envoy takes the most specific one, so that what an earlier
 * rule takes already is left out of later ones. What matches none is closed.
 */
export function l4Chains({ l4, source }: L4Rules, { listener, statPrefix, traffic, hosts, transportSocket }: L4Options): FilterChain[] {
  const taken: Place[] = [];
  return l4.flatMap((rule) => {
    const meant = rule.matches.length === 0 ? [anywhere] : rule.matches.filter((match) => isFrom(match, source)).flatMap(placesOf);
    const places = hosts === undefined ? meant : meant.flatMap((place) => namesWithin(place.sni, hosts).map((sni) => ({ ...place, sni })));
    const filters = [tcpProxy({ listener, statPrefix, cluster: leadTo(rule), traffic, counted: 'caller' })];
    return places.flatMap((place) => {
      if (taken.some((earlier) => covers(earlier, place))) return [];
      taken.push(place);
      const name = `${rule.name} ${place.subnet} ${place.sni}`.trim();
      const filterChainMatch = matchOf(place, hosts !== undefined);
      return FilterChain.create({ name, filterChainMatch, filters, ...(transportSocket === undefined ? {} : { transportSocket }) });
    });
  });
}

function matchOf({ subnet, sni }: Place, tls: boolean): FilterChainMatch {
  const range = subnet === '' ? undefined : cidrRange(subnet);
  return FilterChainMatch.create({
    prefixRanges: range === undefined ? [] : [range],
    ...(sni === '*' ? {} : { serverNames: [sni] }),
    ...(tls || sni !== '*' ? { transportProtocol: 'tls' } : {}),
  });
}

interface Place {
  /** Empty: any. */
  readonly subnet: string;
  /** Exact, `*.suffix` or `*`. */
  readonly sni: string;
}

const anywhere: Place = { subnet: '', sni: '*' };

function placesOf({ destinationSubnets, sniHosts }: L4Match): Place[] {
  const subnets = destinationSubnets.length === 0 ? [''] : destinationSubnets.filter((text) => cidrRange(text) !== undefined);
  const names = sniHosts.length === 0 ? ['*'] : sniHosts.map((name) => name.toLowerCase());
  return subnets.flatMap((subnet) => names.map((sni) => ({ subnet, sni })));
}

function covers(a: Place, b: Place): boolean {
  return (a.subnet === '' || a.subnet === b.subnet) && nameCovers(a.sni, b.sni);
}

function leadTo({ destinations }: L4Rule<ClusterRef>) {
  const used = destinations.length === 1 ? destinations : destinations.filter(({ weight }) => weight > 0);
  const [only, second] = used;
  if (second === undefined) return only?.destination.cluster || nowhere;
  return used.map(({ destination, weight }) => ({ name: destination.cluster || nowhere, weight }));
}
