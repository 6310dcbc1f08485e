import type { ClusterId, NetworkId, ServiceKey, ServiceRecord, SourceId } from '../../core/model/index.ts';
import type { RegistryEvent } from '../../core/registry/index.ts';
import { sameGateways, sortedGateways, touchedNetworks } from './gateways.ts';
import type { Shard, ShardKey, ShardScope } from './shard.ts';
import { newShard, shardKey } from './shard.ts';
import { confirmed, expired, lost, observed, restored } from './shard-events.ts';
import type { GatewayRecord } from './view.ts';

/** All that the catalog knows. Immutable; `reduce` makes the next one. */
export interface CatalogState {
  readonly cluster: ClusterId;
  readonly shards: ReadonlyMap<ShardKey, Shard>;
  readonly peers: ReadonlyMap<ClusterId, ShardScope>;
  readonly gateways: ReadonlyMap<ClusterId, readonly GatewayRecord[]>;
}

/** `at` is monotonic ms. */
export type CatalogInput =
  | { readonly kind: 'add-source'; readonly source: SourceId; readonly scope: ShardScope; readonly at: number }
  | { readonly kind: 'add-peer'; readonly cluster: ClusterId; readonly scope: ShardScope }
  | {
      readonly kind: 'restore';
      readonly cluster: ClusterId;
      readonly source: SourceId;
      readonly services: readonly ServiceRecord[];
      readonly ageMs: number;
      readonly at: number;
    }
  | { readonly kind: 'event'; readonly cluster: ClusterId; readonly source: SourceId; readonly event: RegistryEvent; readonly at: number }
  | { readonly kind: 'confirm'; readonly cluster: ClusterId; readonly source: SourceId; readonly ageMs: number; readonly at: number }
  | { readonly kind: 'lost'; readonly cluster: ClusterId; readonly reason: string; readonly at: number }
  | { readonly kind: 'drop-source'; readonly cluster: ClusterId; readonly source: SourceId }
  | { readonly kind: 'drop-peer'; readonly cluster: ClusterId }
  | { readonly kind: 'gateways'; readonly cluster: ClusterId; readonly gateways: readonly GatewayRecord[] }
  | { readonly kind: 'tick'; readonly at: number; readonly expireAfterMs: number };

export interface Reduction {
  readonly state: CatalogState;
  /** Names to merge again. */
  readonly services: ReadonlySet<ServiceKey>;
  readonly gateways: ReadonlySet<NetworkId>;
  /** Records to write to disk, by shard; a shard that is gone from `state` or expired is removed whole. */
  readonly writes: ReadonlyMap<ShardKey, ReadonlySet<ServiceKey>>;
}

export function initialState(cluster: ClusterId): CatalogState {
  return { cluster, shards: new Map(), peers: new Map(), gateways: new Map() };
}

const nothing: ReadonlySet<never> = new Set<never>();

/** Pure. An input that means nothing (a source or peer that was never added) returns the same state. */
export function reduce(state: CatalogState, input: CatalogInput): Reduction {
  switch (input.kind) {
    case 'add-source':
      return addSource(state, input.source, input.scope, input.at);
    case 'add-peer':
      return addPeer(state, input.cluster, input.scope);
    case 'restore':
      return onShard(state, input.cluster, input.source, input.at, (s) => restored(s, input.services, input.ageMs, input.at));
    case 'event':
      return onShard(state, input.cluster, input.source, input.at, (s) =>
        observed(s, input.event, input.at, input.cluster === state.cluster),
      );
    case 'confirm':
      return onShard(state, input.cluster, input.source, input.at, (s) => confirmed(s, input.ageMs, input.at));
    case 'lost':
      return onShards(state, (s) => (s.cluster === input.cluster ? lost(s, input.reason, input.at, false) : s));
    case 'drop-source':
      return drop(state, (s) => s.cluster === input.cluster && s.source === input.source);
    case 'drop-peer':
      return dropPeer(state, input.cluster);
    case 'gateways':
      return setGateways(state, input.cluster, input.gateways);
    case 'tick':
      return onShards(state, (s) => expired(s, input.at, input.expireAfterMs));
  }
}

function unchanged(state: CatalogState): Reduction {
  return { state, services: nothing, gateways: nothing, writes: new Map() };
}

function addSource(state: CatalogState, source: SourceId, scope: ShardScope, at: number): Reduction {
  const key = shardKey(state.cluster, source);
  const before = state.shards.get(key);
  const after = before === undefined ? newShard(state.cluster, source, scope, at) : { ...before, scope };
  const shards = new Map(state.shards).set(key, after);
  return { ...unchanged({ ...state, shards }), services: new Set(after.services.keys()) };
}

function addPeer(state: CatalogState, cluster: ClusterId, scope: ShardScope): Reduction {
  if (cluster === state.cluster) return unchanged(state);
  const peers = new Map(state.peers).set(cluster, scope);
  const widened = onShards({ ...state, peers }, (s) => (s.cluster === cluster ? { ...s, scope } : s));
  return { ...widened, writes: new Map() };
}

/** One shard moves on; a peer's shard comes into being with its first word. */
function onShard(state: CatalogState, cluster: ClusterId, source: SourceId, at: number, step: (shard: Shard) => Shard): Reduction {
  const key = shardKey(cluster, source);
  const scope = state.peers.get(cluster);
  const before = state.shards.get(key) ?? (scope === undefined ? undefined : newShard(cluster, source, scope, at));
  if (before === undefined) return unchanged(state);
  const after = step(before);
  if (after === state.shards.get(key)) return unchanged(state);
  const shards = new Map(state.shards).set(key, after);
  const services = touched(before, after);
  return { ...unchanged({ ...state, shards }), services, writes: writesOf([[before, after]]) };
}

function onShards(state: CatalogState, step: (shard: Shard) => Shard): Reduction {
  const pairs: [Shard, Shard][] = [];
  for (const shard of state.shards.values()) {
    const after = step(shard);
    if (after !== shard) pairs.push([shard, after]);
  }
  if (pairs.length === 0) return unchanged(state);
  const shards = new Map(state.shards);
  const services = new Set<ServiceKey>();
  for (const [before, after] of pairs) {
    shards.set(after.key, after);
    for (const key of touched(before, after)) services.add(key);
  }
  return { ...unchanged({ ...state, shards }), services, writes: writesOf(pairs) };
}

/** A state or a scope counts for every name that the shard holds. */
function touched(before: Shard, after: Shard): ReadonlySet<ServiceKey> {
  if (before.state === after.state && before.scope === after.scope) return before.services.changedKeys(after.services);
  return new Set([...before.services.keys(), ...after.services.keys()]);
}

function writesOf(pairs: readonly (readonly [Shard, Shard])[]): Map<ShardKey, ReadonlySet<ServiceKey>> {
  const writes = new Map<ShardKey, ReadonlySet<ServiceKey>>();
  for (const [before, after] of pairs) {
    if (after.state === 'unknown') continue;
    const records = after.restored ? nothing : before.services.changedKeys(after.services);
    if (records.size > 0 || before.state !== after.state || before.epoch !== after.epoch) writes.set(after.key, records);
  }
  return writes;
}

function drop(state: CatalogState, gone: (shard: Shard) => boolean): Reduction {
  const shards = new Map(state.shards);
  const services = new Set<ServiceKey>();
  const writes = new Map<ShardKey, ReadonlySet<ServiceKey>>();
  for (const shard of state.shards.values()) {
    if (!gone(shard)) continue;
    shards.delete(shard.key);
    writes.set(shard.key, nothing);
    for (const key of shard.services.keys()) services.add(key);
  }
  return writes.size === 0 ? unchanged(state) : { ...unchanged({ ...state, shards }), services, writes };
}

function dropPeer(state: CatalogState, cluster: ClusterId): Reduction {
  if (!state.peers.has(cluster)) return unchanged(state);
  const shards = drop(state, (s) => s.cluster === cluster);
  const peers = new Map(state.peers);
  peers.delete(cluster);
  const gateways = new Map(state.gateways);
  gateways.delete(cluster);
  return { ...shards, state: { ...shards.state, peers, gateways }, gateways: touchedNetworks(state.gateways.get(cluster) ?? [], []) };
}

function setGateways(state: CatalogState, cluster: ClusterId, list: readonly GatewayRecord[]): Reduction {
  if (cluster !== state.cluster && !state.peers.has(cluster)) return unchanged(state);
  const before = state.gateways.get(cluster) ?? [];
  // A cluster speaks for its own gateways only, whatever the records say.
  const after = sortedGateways(list.map((g) => (g.cluster === cluster ? g : { ...g, cluster })));
  if (sameGateways(before, after)) return unchanged(state);
  const gateways = new Map(state.gateways).set(cluster, after);
  return { ...unchanged({ ...state, gateways }), gateways: touchedNetworks(before, after) };
}
