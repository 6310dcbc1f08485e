import type { ClusterId, EndpointRecord, Health } from '../../core/model/index.ts';
import { endpointKey } from '../../core/model/index.ts';
import { compareText } from './shard.ts';
import { type Origin, provenanceOf, SoleEndpoint } from './sole-endpoint.ts';
import type { CatalogEndpoint } from './view.ts';

/** One record with its ports already renamed to the merged service's. */
export interface Candidate {
  readonly from: Origin;
  readonly record: EndpointRecord;
}

/**
 * The same (network, address, port) is one endpoint: the attested record wins, then a live one, then ours, then the lower
 * key. Those that lose add their ports, their labels where the winner has none of that key, and their health.
 */
export function mergeEndpoints(candidates: readonly Candidate[], local: ClusterId): readonly CatalogEndpoint[] {
  const owners = new Map<string, Candidate[]>();
  const groups: Candidate[][] = [];
  const keyed = candidates.map((candidate) => ({ candidate, key: keyOf(candidate) }));
  for (const { candidate } of keyed.sort((a, b) => rank(a.candidate, b.candidate, local) || compareText(a.key, b.key))) {
    const locations = Object.values(candidate.record.ports).map(
      (port) => `${candidate.record.network}|${candidate.record.address}|${port}`,
    );
    const group = locations.map((l) => owners.get(l)).find((g) => g !== undefined) ?? [];
    if (group.length === 0) groups.push(group);
    group.push(candidate);
    for (const location of locations) if (!owners.has(location)) owners.set(location, group);
  }
  return groups
    .map(fold)
    .map((endpoint) => ({ endpoint, key: endpoint.key }))
    .sort((a, b) => compareText(a.key, b.key))
    .map(({ endpoint }) => endpoint);
}

function keyOf(c: Candidate): string {
  return endpointKey(c.from.cluster, c.from.source, c.record.instance);
}

function rank(a: Candidate, b: Candidate, local: ClusterId): number {
  return (
    Number(b.record.attested) - Number(a.record.attested) ||
    Number(b.from.state === 'live') - Number(a.from.state === 'live') ||
    Number(b.from.cluster === local) - Number(a.from.cluster === local)
  );
}

function fold(group: readonly Candidate[]): CatalogEndpoint {
  const [winner] = group;
  if (winner === undefined) throw new Error('a group of endpoints is never empty');
  if (group.length === 1) return new SoleEndpoint(winner.record, winner.from);
  const live = group.filter((c) => c.from.state === 'live');
  // A lost source's word on health is old: it counts only where nobody live speaks.
  const health = conjunction((live.length > 0 ? live : group).map((c) => c.record.health));
  const ports: Record<string, number> = {};
  const labels: Record<string, string> = {};
  for (const { record } of group) {
    for (const [name, port] of Object.entries(record.ports)) if (!Object.hasOwn(ports, name)) ports[name] = port;
    for (const [key, value] of Object.entries(record.labels)) if (!Object.hasOwn(labels, key)) labels[key] = value;
  }
  return {
    ...winner.record,
    ports,
    labels,
    health,
    key: endpointKey(winner.from.cluster, winner.from.source, winner.record.instance),
    cluster: winner.from.cluster,
    source: winner.from.source,
    state: live.length > 0 ? 'live' : 'stale',
    provenance: group.flatMap(({ record, from }) => provenanceOf(record, from)),
  };
}

/** `unknown` says nothing, so it never outweighs a source that knows. */
function conjunction(all: readonly Health[]): Health {
  for (const verdict of ['unhealthy', 'draining', 'healthy'] as const) if (all.includes(verdict)) return verdict;
  return 'unknown';
}
