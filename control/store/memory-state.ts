import { MeshError } from '../../core/errors.ts';
import type { StoreChange, StoredEntry, StoreOp, Txn, TxnResult, WatchBatch } from '../../core/store.ts';
import { encodeEntry, encodeLease, encodeState, recordChecksum } from './record.ts';

export interface KeyMeta {
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease?: string;
  readonly checksum: number;
}

interface LeaseMeta {
  readonly ttlMs: number;
  readonly checksum: number;
}

/** What is on disk, without the values: enough to decide every compare. Only a committed Draft changes it. */
export class MemoryState {
  revision = 1;
  digest = 0;
  readonly keys = new Map<string, KeyMeta>();
  readonly leases = new Map<string, LeaseMeta>();
  readonly keysOfLease = new Map<string, Set<string>>();

  get count(): number {
    return this.keys.size + this.leases.size;
  }

  setKey(key: string, meta: KeyMeta | undefined): void {
    const before = this.keys.get(key);
    if (before?.lease !== undefined) this.keysOfLease.get(before.lease)?.delete(key);
    if (meta === undefined) this.keys.delete(key);
    else this.keys.set(key, meta);
    if (meta?.lease !== undefined) {
      const keys = this.keysOfLease.get(meta.lease) ?? new Set();
      this.keysOfLease.set(meta.lease, keys.add(key));
    }
  }

  setLease(id: string, meta: LeaseMeta | undefined): void {
    if (meta !== undefined) this.leases.set(id, meta);
    else {
      this.leases.delete(id);
      this.keysOfLease.delete(id);
    }
  }
}

export const entryPrefix = 'k/';
export const leasePrefix = 'l/';
export const stateKey = 's';

/** Changes that are decided but not on disk yet: several transactions, one after the other, that will share one sync. */
export class Draft {
  readonly #base: MemoryState;
  readonly #keys = new Map<string, KeyMeta | undefined>();
  readonly #leases = new Map<string, LeaseMeta | undefined>();
  readonly #newKeysOfLease = new Map<string, string[]>();
  #digest: number;
  #count: number;
  revision: number;
  /** Database key → bytes, or undefined to delete. */
  readonly writes = new Map<string, Buffer | undefined>();
  readonly batches: WatchBatch[] = [];
  bytes = 0;

  constructor(base: MemoryState) {
    this.#base = base;
    this.#digest = base.digest;
    this.#count = base.count;
    this.revision = base.revision;
  }

  txn(txn: Txn): TxnResult {
    const holds = txn.if.every((c) => (this.#key(c.key)?.modRevision ?? 0) === c.modRevision);
    if (holds) this.#apply(txn.then);
    return { succeeded: holds, revision: this.revision };
  }

  grant(id: string, ttlMs: number): void {
    const bytes = encodeLease(id, ttlMs);
    this.#count += 1;
    this.#digest ^= recordChecksum(bytes);
    this.#leases.set(id, { ttlMs, checksum: recordChecksum(bytes) });
    this.writes.set(leasePrefix + id, bytes);
  }

  /** Removes the lease and every key written with it. */
  endLease(id: string): void {
    const lease = this.#lease(id);
    if (lease === undefined) return;
    const candidates = new Set([...(this.#base.keysOfLease.get(id) ?? []), ...(this.#newKeysOfLease.get(id) ?? [])]);
    const ops = [...candidates].filter((key) => this.#key(key)?.lease === id).map((key): StoreOp => ({ op: 'delete', key }));
    this.#apply(ops.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))));
    this.#count -= 1;
    this.#digest ^= lease.checksum;
    this.#leases.set(id, undefined);
    this.writes.set(leasePrefix + id, undefined);
  }

  /** The record that makes a half-written batch show, to go with the others. */
  stateRecord(): Buffer {
    return encodeState({ format: 1, revision: this.revision, count: this.#count, digest: this.#digest >>> 0 });
  }

  commit(): void {
    for (const [key, meta] of this.#keys) this.#base.setKey(key, meta);
    for (const [id, meta] of this.#leases) this.#base.setLease(id, meta);
    this.#base.revision = this.revision;
    this.#base.digest = this.#digest >>> 0;
  }

  #apply(ops: readonly StoreOp[]): void {
    for (const op of ops) {
      if (op.op === 'put' && op.lease !== undefined && this.#lease(op.lease) === undefined) {
        throw new MeshError('FENCED', `lease ${op.lease} has expired: grant a new one and check who holds ${op.key} now`);
      }
    }
    const revision = this.revision + 1;
    const changes: StoreChange[] = [];
    for (const op of ops) {
      const change = op.op === 'put' ? this.#put(op, revision) : this.#delete(op.key);
      if (change !== undefined) changes.push(change);
    }
    if (changes.length === 0) return;
    this.revision = revision;
    this.batches.push({ revision, changes });
  }

  #put(op: StoreOp & { op: 'put' }, revision: number): StoreChange {
    const before = this.#key(op.key);
    const entry: StoredEntry = {
      key: op.key,
      value: new Uint8Array(op.value),
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      ...(op.lease === undefined ? {} : { lease: op.lease }),
    };
    const bytes = encodeEntry(entry);
    const { key, value: _, ...meta } = entry;
    if (before === undefined) this.#count += 1;
    else this.#digest ^= before.checksum;
    this.#digest ^= recordChecksum(bytes);
    this.#keys.set(key, { ...meta, checksum: recordChecksum(bytes) });
    this.writes.set(entryPrefix + key, bytes);
    if (op.lease !== undefined) this.#newKeysOfLease.set(op.lease, [...(this.#newKeysOfLease.get(op.lease) ?? []), key]);
    this.bytes += bytes.length;
    return { kind: 'put', entry };
  }

  #delete(key: string): StoreChange | undefined {
    const before = this.#key(key);
    if (before === undefined) return undefined;
    this.#count -= 1;
    this.#digest ^= before.checksum;
    this.#keys.set(key, undefined);
    this.writes.set(entryPrefix + key, undefined);
    return { kind: 'delete', key };
  }

  #key(key: string): KeyMeta | undefined {
    return this.#keys.has(key) ? this.#keys.get(key) : this.#base.keys.get(key);
  }

  #lease(id: string): LeaseMeta | undefined {
    return this.#leases.has(id) ? this.#leases.get(id) : this.#base.leases.get(id);
  }
}
