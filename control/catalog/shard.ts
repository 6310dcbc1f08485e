import { isDeepStrictEqual } from 'node:util';
import type { ClusterId, EndpointRecord, Runtime, ServiceKey, ServiceRecord, SourceId } from '../../core/model/index.ts';
import { serviceKey } from '../../core/model/index.ts';
import { admit } from './admit.ts';
import { compactEndpoints } from './compact.ts';
import { PersistentMap } from './persistent-map.ts';
import type { ShardState } from './view.ts';

export type ShardKey = string & { readonly __brand: 'ShardKey' };

/** A cluster is a DNS label, so the first slash ends it. */
export function shardKey(cluster: ClusterId, source: SourceId): ShardKey {
  return `${cluster}/${source}` as ShardKey;
}

/** What a source may bring. */
export interface ShardScope {
  /** Globs over `NAMESPACE/NAME`. */
  readonly claims: readonly string[];
  /** Namespaces of workload identities; `*` for all. */
  readonly identityNamespaces: readonly string[];
  readonly runtime?: Runtime;
}

/** What one source said. Immutable. */
export interface Shard {
  readonly key: ShardKey;
  readonly cluster: ClusterId;
  readonly source: SourceId;
  readonly scope: ShardScope;
  readonly state: ShardState;
  readonly restored: boolean;
  readonly epoch: number;
  readonly revision: number;
  readonly cursor: string;
  /** Monotonic ms when it came into `state`. */
  readonly since: number;
  readonly dataAt?: number;
  readonly error?: string;
  /** By service: what was left out of what the source says of it. */
  readonly refused: PersistentMap<ServiceKey, readonly string[]>;
  /** Empty while unknown and once expired. */
  readonly services: PersistentMap<ServiceKey, ServiceRecord>;
  readonly endpoints: number;
}

export function newShard(cluster: ClusterId, source: SourceId, scope: ShardScope, at: number): Shard {
  return {
    key: shardKey(cluster, source),
    cluster,
    source,
    scope,
    state: 'unknown',
    restored: false,
    epoch: 0,
    revision: 0,
    cursor: '',
    since: at,
    refused: PersistentMap.empty(),
    services: PersistentMap.empty(),
    endpoints: 0,
  };
}

/** The order that a source lists things in means nothing: without it equal content is equal. The last of one instance counts. */
function normalised(record: ServiceRecord, before: ServiceRecord | undefined): ServiceRecord {
  const byInstance = new Map<string, EndpointRecord>(record.endpoints.map((e) => [e.instance, e]));
  const sorted = [...byInstance.values()].sort((a, b) => compareText(a.instance, b.instance));
  const endpoints = compactEndpoints(sorted, before?.endpoints ?? []);
  const ports = [...record.ports].sort((a, b) => a.port - b.port || compareText(a.name, b.name));
  return { ...record, ports, endpoints };
}

/**
 * Consul, Nomad and folders say no creation time: their adapters take the first sight, which a restart would make new, and the
 * oldest, whose ports win, would change with it. A peer stamps its own, and only the peer.
 */
function keepAge(before: ServiceRecord | undefined, after: ServiceRecord, ownedHere: boolean): ServiceRecord {
  return ownedHere && before !== undefined && before.createdAt < after.createdAt ? { ...after, createdAt: before.createdAt } : after;
}

/** By code unit: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface ServicesChange {
  readonly services: PersistentMap<ServiceKey, ServiceRecord>;
  readonly refused: PersistentMap<ServiceKey, readonly string[]>;
  readonly endpoints: number;
  readonly changed: ReadonlySet<ServiceKey>;
}

/** Mark and sweep: what the snapshot does not name goes; what it repeats unchanged stays the same object. */
export function replaceServices(shard: Shard, records: readonly ServiceRecord[], ownedHere: boolean): ServicesChange {
  const edits = new Map<ServiceKey, ServiceRecord | undefined>();
  for (const record of records) edits.set(serviceKey(record.namespace, record.name), record);
  for (const known of [shard.services, shard.refused]) for (const key of known.keys()) if (!edits.has(key)) edits.set(key, undefined);
  return editServices(shard, edits, ownedHere);
}

export function editServices(shard: Shard, edits: ReadonlyMap<ServiceKey, ServiceRecord | undefined>, ownedHere: boolean): ServicesChange {
  const effective: [ServiceKey, ServiceRecord | undefined][] = [];
  const refused: [ServiceKey, readonly string[] | undefined][] = [];
  let endpoints = shard.endpoints;
  for (const [key, record] of edits) {
    const before = shard.services.get(key);
    const admitted = record === undefined ? undefined : admit(record);
    refused.push([key, admitted === undefined || admitted.refused.length === 0 ? undefined : admitted.refused]);
    const after = admitted?.record === undefined ? undefined : keepAge(before, normalised(admitted.record, before), ownedHere);
    if (isDeepStrictEqual(before, after)) continue;
    effective.push([key, after]);
    endpoints += (after?.endpoints.length ?? 0) - (before?.endpoints.length ?? 0);
  }
  const changed = new Set(effective.map(([key]) => key));
  return { services: shard.services.with(effective), refused: shard.refused.with(refused), endpoints, changed };
}
