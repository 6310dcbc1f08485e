import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { Compare, Store, StoredEntry, StoreOp } from '../../../core/store.ts';
import type { MigrationState } from '../contract.ts';
import type { CallersRecord, Freeze, LiveRecord } from './contract.ts';
import { callersKey, freezeKey, liveKey, stateKey, statePrefix, watchedPrefix } from './keys.ts';

/** A value with the revision that a writer compares; 0: it is not there. */
export interface Kept<T> {
  readonly value: T;
  readonly modRevision: number;
}

export type KeptState = Kept<MigrationState>;

const retryMs = 1_000;

/** What the store has of all migrations, followed. What this replica writes it knows when the write resolves. */
export class MigrationRecords {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept<unknown>>();
  /** Where a delete was seen, so that what is older is not taken for news. */
  readonly #goneAt = new Map<string, number>();
  readonly #listeners = new Set<(key: string) => void>();
  #loaded = false;

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** False: what is missing may well be there. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** By NAMESPACE/NAME. */
  states(): ReadonlyMap<string, KeptState> {
    const states = new Map<string, KeptState>();
    for (const [key, kept] of this.#kept) if (key.startsWith(statePrefix)) states.set(key.slice(statePrefix.length), kept as KeptState);
    return states;
  }

  state(id: string): KeptState | undefined {
    return this.#kept.get(stateKey(id)) as KeptState | undefined;
  }

  live(id: string): LiveRecord | undefined {
    return this.#kept.get(liveKey(id))?.value as LiveRecord | undefined;
  }

  callers(id: string): readonly string[] {
    const { callers } = (this.#kept.get(callersKey(id))?.value ?? {}) as Partial<CallersRecord>;
    return Array.isArray(callers) ? callers : [];
  }

  /** What a writer of that key compares; 0: it is not there. */
  revision(key: string): number {
    return this.#kept.get(key)?.modRevision ?? 0;
  }

  freeze(): Kept<Freeze> | undefined {
    return this.#kept.get(freezeKey) as Kept<Freeze> | undefined;
  }

  /** Told of each key that changed; returns its undoing. */
  subscribe(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** As the store has it now. Rejects with STORE_UNAVAILABLE. */
  async refresh(key: string): Promise<void> {
    const entry = await this.#store.get(key);
    if (entry !== undefined) this.#put(entry);
    // The revision of the store is not known here: what the watch tells later decides as well.
    else if (this.#kept.delete(key)) this.#tell(key);
  }

  /** Its revision; undefined: a key was another than `before` says, or the fence is broken, and nothing is written. Rejects with STORE_UNAVAILABLE. */
  async write(
    writes: readonly { readonly key: string; readonly before: number; readonly value: unknown }[],
    fence?: Compare,
  ): Promise<number | undefined> {
    const compares = writes.map(({ key, before }): Compare => ({ key, modRevision: before }));
    const ops = writes.map(
      ({ key, value }): StoreOp =>
        value === undefined ? { op: 'delete', key } : { op: 'put', key, value: Buffer.from(JSON.stringify(value)) },
    );
    const { succeeded, revision } = await this.#store.txn({ if: fence === undefined ? compares : [fence, ...compares], then: ops });
    for (const { key, value } of writes) {
      if (succeeded && value === undefined) this.#remove(key, revision);
      else await this.refresh(key);
    }
    return succeeded ? revision : undefined;
  }

  /** Reads all. Rejects with STORE_UNAVAILABLE. */
  async load(): Promise<number> {
    const { entries, revision } = await this.#store.list(watchedPrefix);
    const there = new Set(entries.map(({ key }) => key));
    for (const [key, { modRevision }] of this.#kept) if (!there.has(key) && modRevision <= revision) this.#remove(key, revision);
    this.#loaded = true;
    for (const entry of entries) this.#put(entry);
    return revision;
  }

  /** Keeps up with what all replicas write, until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const { revision, changes } of this.#store.watch(watchedPrefix, await this.load(), signal))
          for (const change of changes) {
            if (change.kind === 'put') this.#put(change.entry);
            else this.#remove(change.key, revision);
          }
      } catch (error) {
        if (signal.aborted) return;
        const compacted = error instanceof MeshError && error.code === 'COMPACTED';
        if (!compacted) this.#log.warn({ error }, 'migrations cannot be followed; weights stay as they are known');
        await this.#clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  }

  #put({ key, value, modRevision }: StoredEntry): void {
    const known = Math.max(this.#kept.get(key)?.modRevision ?? 0, this.#goneAt.get(key) ?? 0);
    if (modRevision <= known) return;
    try {
      this.#kept.set(key, { value: JSON.parse(Buffer.from(value).toString('utf8')), modRevision });
    } catch (error) {
      this.#log.error({ error, key }, 'what the store has of a migration is unreadable: restore the store from a backup');
      return;
    }
    this.#goneAt.delete(key);
    this.#tell(key);
  }

  #remove(key: string, revision: number): void {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.modRevision > revision) return;
    this.#goneAt.set(key, revision);
    if (this.#kept.delete(key)) this.#tell(key);
  }

  #tell(key: string): void {
    for (const listener of [...this.#listeners]) listener(key);
  }
}
