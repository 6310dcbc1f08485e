import type { Clock } from '../../core/clock.ts';
import type { ClusterId, ServiceKey, SourceId } from '../../core/model/index.ts';
import type { PersistedShard, RecordStore } from './persist.ts';
import { gatewaysKey, loadPersisted, markKey, ownerOf, recordKey } from './persist.ts';
import { RecordWriter } from './record-writer.ts';
import type { CatalogInput, CatalogState } from './reducer.ts';
import type { Shard, ShardKey } from './shard.ts';
import { shardKey } from './shard.ts';
import type { GatewayRecord } from './view.ts';

/** How far the age that is told after a restart may be too high. */
const confirmEveryMs = 60_000;

/** Keeps last-known shards on disk, and hands each out once after a restart. */
export class Persistence {
  readonly #store: RecordStore;
  readonly #clock: Clock;
  readonly #onProblem: (message: string) => void;
  readonly #writer: RecordWriter;
  readonly #shards = new Map<ShardKey, PersistedShard>();
  readonly #gateways = new Map<ClusterId, readonly GatewayRecord[]>();
  #confirmedAt: number;

  constructor(store: RecordStore, clock: Clock, onProblem: (message: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onProblem = onProblem;
    this.#writer = new RecordWriter(store, clock, onProblem);
    this.#confirmedAt = clock.monotonic();
  }

  async load(): Promise<void> {
    const { shards, gateways, problems } = await loadPersisted(this.#store);
    for (const shard of shards) this.#shards.set(shardKey(shard.cluster, shard.source), shard);
    for (const [cluster, list] of gateways) this.#gateways.set(cluster, list);
    for (const problem of problems) this.#onProblem(problem);
  }

  /** Of one source, or of all of a cluster. */
  takeShards(cluster: ClusterId, source?: SourceId): CatalogInput[] {
    const at = this.#clock.monotonic();
    return [...this.#shards.values()]
      .filter((s) => s.cluster === cluster && (source === undefined || s.source === source))
      .map((s): CatalogInput => {
        this.#shards.delete(shardKey(s.cluster, s.source));
        // The wall clock may have jumped while nobody looked; an age is never negative.
        const ageMs = Math.max(0, this.#clock.now() - s.currentAt);
        return { kind: 'restore', cluster, source: s.source, services: s.services, ageMs, at };
      });
  }

  takeGateways(cluster: ClusterId): readonly GatewayRecord[] | undefined {
    const list = this.#gateways.get(cluster);
    this.#gateways.delete(cluster);
    return list;
  }

  save(before: CatalogState, after: CatalogState, writes: ReadonlyMap<ShardKey, ReadonlySet<ServiceKey>>): void {
    for (const [key, names] of writes) {
      const shard = after.shards.get(key);
      const old = before.shards.get(key);
      if (shard === undefined || shard.state === 'expired') this.#remove(shard ?? old, old);
      else if (!shard.restored) this.#write(shard, names);
    }
    if (before.gateways === after.gateways) return;
    for (const cluster of new Set([...before.gateways.keys(), ...after.gateways.keys()])) {
      const list = after.gateways.get(cluster);
      if (list === before.gateways.get(cluster)) continue;
      if (list === undefined) this.#writer.delete(gatewaysKey(cluster));
      else this.#writer.put(gatewaysKey(cluster), list);
    }
  }

  /** Now and then says on disk that live sources are still current, so that a restart does not call quiet data old. */
  confirm(state: CatalogState): void {
    const at = this.#clock.monotonic();
    if (at - this.#confirmedAt < confirmEveryMs) return;
    this.#confirmedAt = at;
    for (const shard of state.shards.values()) if (shard.state === 'live') this.#mark(shard);
  }

  /** Removes what belongs to nobody in `state`. */
  async forget(state: CatalogState): Promise<void> {
    await this.#writer.flush();
    const { keys } = await loadPersisted(this.#store);
    for (const key of keys) {
      const owner = ownerOf(key);
      if (owner === undefined) continue;
      const known =
        owner.source === undefined ? state.gateways.has(owner.cluster) : state.shards.has(shardKey(owner.cluster, owner.source));
      if (!known && !state.peers.has(owner.cluster)) this.#writer.delete(key);
    }
    this.#shards.clear();
    this.#gateways.clear();
    await this.#writer.flush();
  }

  room(): Promise<void> {
    return this.#writer.room();
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }

  stop(): Promise<void> {
    return this.#writer.stop();
  }

  #write(shard: Shard, names: ReadonlySet<ServiceKey>): void {
    for (const name of names) {
      const record = shard.services.get(name);
      const key = recordKey(shard.cluster, shard.source, name);
      if (record === undefined) this.#writer.delete(key);
      else this.#writer.put(key, record);
    }
    this.#mark(shard);
  }

  #mark(shard: Shard): void {
    const currentAt = this.#clock.now() - Math.max(0, this.#clock.monotonic() - (shard.dataAt ?? this.#clock.monotonic()));
    this.#writer.put(markKey(shard.cluster, shard.source), { currentAt });
  }

  /** The mark first: without it the rest is not read again. */
  #remove(shard: Shard | undefined, old: Shard | undefined): void {
    if (shard === undefined) return;
    this.#writer.delete(markKey(shard.cluster, shard.source));
    for (const name of old?.services.keys() ?? []) this.#writer.delete(recordKey(shard.cluster, shard.source, name));
  }
}
