import type { LocalityPolicy } from '../../core/config/index.ts';
import type { Candidate } from './candidates.ts';
import type { AssignmentIr, EndpointIr } from './ir.ts';
import { farness, localityDepth, matchesLocality, type Place } from './locality-rank.ts';
import { localityWeights, shareWeights } from './weights.ts';

/**
 * Contiguous priorities, exact weights within each, one entry per (address, port, sni), sorted. What is stale comes last; before it
 * what `distribute` names, by its shares; then what is nearer; then direct before own gateways before those of peers.
 */
export function prioritize(candidates: readonly Candidate[], from: Place, policy: LocalityPolicy | undefined): AssignmentIr {
  const spread = distribution(from, policy);
  const farOf = remembered(from, policy);
  const ranks = new Map<number, Candidate[]>();
  for (const c of candidates) {
    const named = spread.patternOf(c.endpoint.locality) !== undefined;
    const rank = (c.endpoint.stale ? 2 ** 40 : 0) + (named ? 0 : 2 ** 30 + farOf(c) * 10 + c.tier);
    const members = ranks.get(rank);
    if (members === undefined) ranks.set(rank, [c]);
    else members.push(c);
  }
  const levels = [...ranks].sort(([a], [b]) => a - b).map(([, members]) => members);
  const endpoints = mergeSame(levels.flatMap(placeAll).sort(inOrder));
  const localities = levels.flatMap((members, priority) => spread.shares(members).map((share) => ({ priority, ...share })));
  return localities.length === 0 ? { endpoints } : { endpoints, localities };
}

/** Whole services are in one place or a few: where labels have no say, how far that is has to be found out once for each. */
function remembered(from: Place, policy: LocalityPolicy | undefined): (c: Candidate) => number {
  const placeOf = ({ labels, endpoint: { network, cluster, locality } }: Candidate): Place => ({ network, cluster, locality, labels });
  if (policy !== undefined && policy.failoverPriority.length > 0) return (c) => farness(from, placeOf(c), policy);
  const known = new Map<string, number>();
  return (c) => {
    const key = `${c.endpoint.network} ${c.endpoint.locality}`;
    let far = known.get(key);
    if (far === undefined) {
      far = farness(from, placeOf(c), policy);
      known.set(key, far);
    }
    return far;
  };
}

interface Distribution {
  /** The pattern of `to` that a locality falls under. */
  patternOf(locality: string): string | undefined;
  /** What each locality takes of the priority that these are; empty where it was not distributed. */
  shares(members: readonly Candidate[]): readonly { readonly locality: string; readonly weight: number }[];
}

const undistributed: Distribution = { patternOf: () => undefined, shares: () => [] };

function distribution(from: Place, policy: LocalityPolicy | undefined): Distribution {
  const rule = policy?.enabled === false ? undefined : policy?.distribute.find((d) => matchesLocality(d.from, from.locality));
  if (rule === undefined) return undistributed;
  // Of two patterns that fit, the one that says more.
  const patterns = Object.entries(rule.to)
    .filter(([, weight]) => weight > 0)
    .sort(([a], [b]) => localityDepth(b) - localityDepth(a) || (a < b ? -1 : 1));
  const patternOf = (locality: string) => patterns.find(([pattern]) => matchesLocality(pattern, locality))?.[0];
  return {
    patternOf,
    shares(members) {
      const sums = new Map<string, number>();
      for (const { weight, endpoint } of members) sums.set(endpoint.locality, (sums.get(endpoint.locality) ?? 0) + weight);
      const localities = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
      const known = localities.flatMap(([locality, endpoints]) => {
        const pattern = patternOf(locality);
        return pattern === undefined ? [] : [{ locality, pattern, weight: rule.to[pattern] ?? 0, endpoints }];
      });
      const weights = localityWeights(known);
      return known.map(({ locality }, i) => ({ locality, weight: weights[i] ?? 0 }));
    },
  };
}

function placeAll(members: readonly Candidate[], priority: number): readonly EndpointIr[] {
  const shares = shareWeights(members.map((m) => ({ weight: m.weight, addresses: m.addresses.length })));
  return members.flatMap((m, i) => m.addresses.map(({ address, port }) => placed(address, port, shares[i] ?? 0, priority, m.endpoint)));
}

function inOrder(a: EndpointIr, b: EndpointIr): number {
  return (
    a.priority - b.priority ||
    compare(a.address, b.address) ||
    a.port - b.port ||
    compare(a.tls?.sni ?? '', b.tls?.sni ?? '') ||
    compare(a.tls?.clusterSan ?? '', b.tls?.clusterSan ?? '')
  );
}

/** Field by field: spreading what a mesh has most of is several times as costly. The order of the fields is part of the version. */
function placed(address: string, port: number, weight: number, priority: number, of: Candidate['endpoint']): EndpointIr {
  const { tls, cluster, network, locality, runtime, instance, viaGateway, stale, draining } = of;
  if (of.unhealthy === true) {
    const { tls: _, ...rest } = of;
    return tls === undefined ? { address, port, weight, priority, ...rest } : { address, port, weight, priority, tls, ...rest };
  }
  const rest = { cluster, network, locality, runtime, instance, viaGateway, stale, draining };
  if (tls === undefined) return { address, port, weight, priority, ...rest };
  return { address, port, weight, priority, tls, cluster, network, locality, runtime, instance, viaGateway, stale, draining };
}

/** Two gateways that advertise one address (a load balancer) are one place to connect to, with the weight of both. */
function mergeSame(sorted: readonly EndpointIr[]): EndpointIr[] {
  const merged: EndpointIr[] = [];
  for (const e of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && samePlace(last, e)) merged[merged.length - 1] = { ...last, weight: last.weight + e.weight };
    else merged.push(e);
  }
  return merged;
}

function samePlace(a: EndpointIr, b: EndpointIr): boolean {
  const same = a.address === b.address && a.port === b.port && a.priority === b.priority;
  return same && a.tls?.sni === b.tls?.sni && a.tls?.clusterSan === b.tls?.clusterSan;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
