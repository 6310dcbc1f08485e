/**
 * The durable state of one control plane, with etcd's semantics (etcd API reference v3: KV, Watch, Lease). Two
 * implementations, one contract suite: classic-level embedded for one replica, real etcd for more.
 *
 * Keys are `/`-separated text without a leading slash; values are bytes. A write that resolved has been synced to disk.
 * Every method rejects with MeshError STORE_UNAVAILABLE (retryable) when the store cannot be reached or its disk is full;
 * then nothing is known about a write in flight, and the caller must read before it repeats it.
 */
export interface Store {
  get(key: string): Promise<StoredEntry | undefined>;
  /** All keys under `prefix`, sorted, at one revision. */
  list(prefix: string): Promise<{ readonly entries: readonly StoredEntry[]; readonly revision: number }>;
  /**
   * All compares hold → `then` is applied atomically at one new revision; otherwise nothing is written. A key may be written
   * once a txn. Rejects with LIMIT_EXCEEDED beyond `storeLimits`, and with FENCED when a put names a lease that has expired.
   */
  txn(txn: Txn): Promise<TxnResult>;
  /**
   * Every change under `prefix` after revision `after`, in order, one batch a revision. Ends when `signal` aborts; throws
   * MeshError COMPACTED when that history is gone (list again, then watch from there).
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<WatchBatch>;
  /** Keys written with the lease vanish (as deletes at one revision) when it is not kept alive for `ttlMs` (≥ 1,000). */
  grantLease(ttlMs: number): Promise<Lease>;
  /** Idempotent; ends watches. */
  close(): Promise<void>;
}

/** Of one transaction, in both implementations (etcd's defaults, with room for its framing). */
export const storeLimits = {
  keyBytes: 1024,
  /** Writes in one txn, and compares in one txn. */
  opsPerTxn: 128,
  /** Keys and values written. */
  bytesPerTxn: 1_258_291,
} as const;

export interface StoredEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** 1 at creation, one more at each write. */
  readonly version: number;
  readonly lease?: string;
}

/** `modRevision` 0 means: the key does not exist. */
export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

export type StoreOp =
  | { readonly op: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: string }
  | { readonly op: 'delete'; readonly key: string };

export interface Txn {
  readonly if: readonly Compare[];
  readonly then: readonly StoreOp[];
}

export interface TxnResult {
  readonly succeeded: boolean;
  /** Of the store after the call. */
  readonly revision: number;
}

export interface WatchBatch {
  readonly revision: number;
  readonly changes: readonly StoreChange[];
}

export type StoreChange = { readonly kind: 'put'; readonly entry: StoredEntry } | { readonly kind: 'delete'; readonly key: string };

export interface Lease {
  readonly id: string;
  /** Rejects with MeshError FENCED when it has expired already. */
  keepAlive(): Promise<void>;
  /** Idempotent. */
  revoke(): Promise<void>;
}
