import type { LocalityPolicy } from '../../core/config/index.ts';
import { type Locality, parseLocality } from '../../core/model/index.ts';

/** Where somebody is, and what is known of it by label. */
export interface Place {
  readonly network: string;
  /** Mesh cluster. */
  readonly cluster: string;
  /** REGION/ZONE/SUBZONE; empty: not known. */
  readonly locality: string;
  /** Undefined: not known. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/**
 * How near `to` is for `from`, lower first, by what is asked for: labels first, where `failoverPriority` names some, else regions and
 * zones. Of an unknown locality only the network is known: one's own counts as the same region, any other as another.
 */
export function farness(from: Place, to: Place, policy: LocalityPolicy | undefined): number {
  if (policy?.enabled === false) return 0;
  if (policy === undefined || policy.failoverPriority.length === 0) return distance(from, to, policy);
  const missed = policy.failoverPriority.length - leadingMatches(from, to, policy.failoverPriority);
  return missed * 10 + (policy.failover.length === 0 ? 0 : distance(from, to, policy));
}

/** 0: same subzone, 1: same zone, 2: same region, 3: the region that `failover` names, 4: any other. */
function distance(from: Place, to: Place, policy: LocalityPolicy | undefined): number {
  const [a, b] = [parseLocality(from.locality), parseLocality(to.locality)];
  if (a.region === '' || b.region === '') return from.network === to.network ? 2 : 4;
  if (a.region === b.region) return a.zone !== b.zone ? 2 : a.subzone !== b.subzone ? 1 : 0;
  const named = policy?.failover.some((f) => matchesLocality(f.from, from.locality) && matchesLocality(f.to, to.locality)) ?? false;
  return named ? 3 : 4;
}

/** REGION/ZONE/SUBZONE, where `*` is any and what is left out at the end too. */
export function matchesLocality(pattern: string, locality: string): boolean {
  const [wanted, has] = [parseLocality(pattern), parseLocality(locality)];
  if (wanted.region === '*') return true;
  if (wanted.region !== has.region) return false;
  if (wanted.zone === '*' || wanted.zone === '') return true;
  if (wanted.zone !== has.zone) return false;
  return wanted.subzone === '*' || wanted.subzone === '' || wanted.subzone === has.subzone;
}

/** Names only the locality's own parts: the more, the more specific. */
export function localityDepth(pattern: string): number {
  const { region, zone, subzone } = parseLocality(pattern);
  return [region, zone, subzone].filter((part) => part !== '' && part !== '*').length;
}

function leadingMatches(from: Place, to: Place, keys: readonly string[]): number {
  const first = keys.findIndex((key) => {
    const equals = key.indexOf('=');
    const wanted = equals === -1 ? labelOf(from, key) : key.slice(equals + 1);
    return wanted === undefined || wanted !== (labelOf(to, equals === -1 ? key : key.slice(0, equals)) ?? '');
  });
  return first === -1 ? keys.length : first;
}

const localityLabels: Readonly<Record<string, keyof Locality>> = {
  'topology.kubernetes.io/region': 'region',
  'topology.kubernetes.io/zone': 'zone',
  'topology.istio.io/subzone': 'subzone',
};

/** Undefined: not known, which equals nothing. A label that is known not to be there is empty. */
function labelOf(place: Place, key: string): string | undefined {
  if (key === 'topology.istio.io/network' || key === 'isthmus.dev/network') return place.network;
  if (key === 'topology.istio.io/cluster' || key === 'isthmus.dev/cluster') return place.cluster;
  const part = Object.hasOwn(localityLabels, key) ? localityLabels[key] : undefined;
  if (part !== undefined) return parseLocality(place.locality)[part];
  return place.labels === undefined ? undefined : Object.hasOwn(place.labels, key) ? place.labels[key] : '';
}
