import type { ClusterId, EndpointRecord, ServiceKey, ServiceRecord, SourceId } from '../../core/model/index.ts';
import { splitServiceKey } from '../../core/model/index.ts';
import type { Candidate } from './endpoints.ts';
import { mergeEndpoints } from './endpoints.ts';
import { matchesAny } from './glob.ts';
import { mergePorts } from './ports.ts';
import type { CatalogState } from './reducer.ts';
import type { Shard } from './shard.ts';
import { compareText } from './shard.ts';
import type { Origin } from './sole-endpoint.ts';
import type { Contribution, MergedService, ServiceCondition, Withheld } from './view.ts';

interface Claim {
  readonly shard: Shard;
  readonly record: ServiceRecord;
  readonly contribution: Contribution;
}

export interface MergedName {
  readonly service: MergedService | undefined;
  /** From sources of this cluster alone. */
  readonly local: MergedService | undefined;
  readonly withheld: readonly Withheld[];
}

/** Everything that all shards say of one name, made one. Pure; costs what that name has, plus one look at each shard. */
export function mergeName(state: CatalogState, key: ServiceKey): MergedName {
  const reports: Claim[] = [];
  for (const shard of state.shards.values()) {
    const record = shard.services.get(key);
    if (record === undefined || (shard.state !== 'live' && shard.state !== 'stale')) continue;
    reports.push({ shard, record, contribution: contributionOf(shard, record, shard.state) });
  }
  if (reports.length === 0) return { service: undefined, local: undefined, withheld: [] };
  const claims = reports.filter((r) => matchesAny(r.shard.scope.claims, key));
  const { withheld, conditions } = collisions(key, reports, claims, state.cluster);
  claims.sort((a, b) => oldestFirst(a.contribution, b.contribution));
  const own = claims.filter((c) => c.contribution.cluster === state.cluster);
  const service = mergeClaims(key, claims, conditions, state.cluster);
  const local = own.length === claims.length ? service : mergeClaims(key, own, conditions, state.cluster);
  return { service, local, withheld };
}

function contributionOf(shard: Shard, record: ServiceRecord, state: 'live' | 'stale'): Contribution {
  const { ports, labels, createdAt } = record;
  return { cluster: shard.cluster, source: shard.source, state, ports, labels, createdAt };
}

function oldestFirst(a: Contribution, b: Contribution): number {
  return a.createdAt - b.createdAt || compareText(a.cluster, b.cluster) || compareText(a.source, b.source);
}

/** Only claimed names are published: those who report one without a claim are set apart, cluster by cluster. */
function collisions(key: ServiceKey, reports: readonly Claim[], claims: readonly Claim[], local: ClusterId) {
  const withheld: Withheld[] = [];
  const conditions: ServiceCondition[] = [];
  const clusters = [...new Set(reports.map((r) => r.shard.cluster))].sort(compareText);
  for (const cluster of clusters) {
    const of = (list: readonly Claim[]): SourceId[] =>
      list
        .filter((r) => r.shard.cluster === cluster)
        .map((r) => r.shard.source)
        .sort(compareText);
    const all = of(reports);
    const claiming = of(claims);
    const sources = all.filter((s) => !claiming.includes(s));
    if (sources.length === 0) continue;
    const reason = all.length > 1 ? 'NameCollision' : cluster === local ? 'NotClaimed' : 'NamespaceNotAllowed';
    const message = explanation(key, reason, sources, claiming, cluster);
    withheld.push({ key, reason, cluster, sources, message });
    if (reason === 'NameCollision') conditions.push({ type: 'NameCollision', cluster, sources, message });
  }
  return { withheld, conditions };
}

function explanation(
  key: ServiceKey,
  reason: Withheld['reason'],
  sources: readonly string[],
  claiming: readonly string[],
  cluster: string,
): string {
  const who = sources.join(', ');
  if (reason === 'NotClaimed') return `${who} reports ${key} without a claim to it; add it to spec.mapping.claims of that Registry`;
  if (reason === 'NamespaceNotAllowed') return `${cluster} exports ${key}, a namespace that its Peer object does not allow`;
  const holder = claiming.length > 0 ? `${claiming.join(', ')} claims it` : 'nobody claims it';
  return `${who} of ${cluster} reports ${key}, and ${holder}; sources share a name only where both claim it`;
}

function mergeClaims(
  key: ServiceKey,
  claims: readonly Claim[],
  collisionConditions: readonly ServiceCondition[],
  local: ClusterId,
): MergedService | undefined {
  const [oldest] = claims;
  if (oldest === undefined) return undefined;
  const contributions = claims.map((c) => c.contribution);
  const { ports, conflicts, agreed } = mergePorts(contributions);
  const candidates = claims.flatMap((c, i) => candidatesOf(c, agreed[i] ?? new Map()));
  const endpoints = mergeEndpoints(candidates, local);
  const labels: Record<string, string> = {};
  for (const c of [...contributions].reverse()) Object.assign(labels, c.labels);
  return {
    key,
    ...splitServiceKey(key),
    ports,
    endpoints,
    labels,
    createdAt: oldest.contribution.createdAt,
    contributions,
    networks: [...new Set(endpoints.map((e) => e.network))].sort(compareText),
    conditions: [...collisionConditions, ...conflicts],
  };
}

function candidatesOf({ shard, record, contribution }: Claim, agreed: ReadonlyMap<string, string>): Candidate[] {
  const { cluster, source, state } = contribution;
  const from: Origin = { cluster, source, state };
  const allowed = record.endpoints.filter((e) => mayIdentify(shard, e));
  return allowed.map((e) => ({ from, record: withMergedPorts(e, agreed) }));
}

/** The record itself where the merged names are its own. */
function withMergedPorts(e: EndpointRecord, agreed: ReadonlyMap<string, string>): EndpointRecord {
  if (Object.keys(e.ports).every((own) => agreed.get(own) === own)) return e;
  const ports: Record<string, number> = {};
  for (const [own, merged] of agreed) {
    const target = Object.hasOwn(e.ports, own) ? e.ports[own] : undefined;
    if (target !== undefined) ports[merged] = target;
  }
  return { ...e, ports };
}

/** A peer never speaks for identities of namespaces that its Peer object does not give it. */
function mayIdentify(shard: Shard, endpoint: EndpointRecord): boolean {
  return endpoint.tlsMode === 'none' || matchesAny(shard.scope.identityNamespaces, endpoint.identityNamespace);
}
