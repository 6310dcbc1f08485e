import type { ClusterRef, ClusterTraffic, L4Match, L4Rule } from '../../traffic/index.ts';
import { FilterChain } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { cidrRange } from './endpoints.ts';
import { tcpProxy } from './filters.ts';
import { isFrom, type TrafficSource } from './route-match.ts';

/** Never the name of an xDS cluster: what leads there is closed. */
const nowhere = 'no-destination';

/**
 * One chain for each rule and address. The first rule that matches decides; Envoy takes the most specific one, so that what an earlier
 * rule takes already is left out of later ones. What matches none is closed.
 */
export function l4Chains(
  listener: string,
  statPrefix: string,
  { l4, source }: { readonly l4: readonly L4Rule<ClusterRef>[]; readonly source: TrafficSource },
  traffic?: ClusterTraffic,
): FilterChain[] {
  const taken: Place[] = [];
  return l4.flatMap((rule) => {
    const places = rule.matches.length === 0 ? [anywhere] : rule.matches.filter((match) => isFrom(match, source)).flatMap(placesOf);
    const filters = [tcpProxy(listener, statPrefix, leadTo(rule), traffic)];
    return places.flatMap((place) => {
      if (taken.some((earlier) => covers(earlier, place))) return [];
      taken.push(place);
      const { subnet, sni } = place;
      const range = subnet === '' ? undefined : cidrRange(subnet);
      return FilterChain.create({
        name: `${rule.name} ${subnet} ${sni}`.trim(),
        filterChainMatch: {
          prefixRanges: range === undefined ? [] : [range],
          ...(sni === '*' ? {} : { serverNames: [sni], transportProtocol: 'tls' }),
        },
        filters,
      });
    });
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
  if (a.subnet !== '' && a.subnet !== b.subnet) return false;
  return a.sni === '*' || a.sni === b.sni || (a.sni.startsWith('*.') && b.sni.endsWith(a.sni.slice(1)));
}

function leadTo({ destinations }: L4Rule<ClusterRef>) {
  const used = destinations.length === 1 ? destinations : destinations.filter(({ weight }) => weight > 0);
  const [only, second] = used;
  if (second === undefined) return only?.destination.cluster || nowhere;
  return used.map(({ destination, weight }) => ({ name: destination.cluster || nowhere, weight }));
}
