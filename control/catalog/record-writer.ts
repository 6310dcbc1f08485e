import type { Clock } from '../../core/clock.ts';
import type { MeshError } from '../../core/errors.ts';
import { toMeshError } from '../../core/errors.ts';
import type { StoreOp } from '../../core/store.ts';
import { storeLimits } from '../../core/store.ts';
import type { RecordStore } from './persist.ts';
import { encodeValue } from './persist.ts';

/** Writers hold their sources back beyond this many keys, as long as the store takes writes at all. */
const laggingKeys = 5_000;
const firstRetryMs = 100;
const longestRetryMs = 5_000;

/**
 * Writes the newest value of each key, many to a transaction. What is waiting is at most one value a key, however fast events
 * come. A store that cannot be written is tried again for ever, and holds nobody back: what is served does not depend on it.
 */
export class RecordWriter {
  readonly #store: RecordStore;
  readonly #clock: Clock;
  readonly #onProblem: (message: string) => void;
  /** Key → value to write; undefined deletes. Encoded only when written. */
  #pending = new Map<string, unknown>();
  #running: Promise<void> | undefined;
  #failing: MeshError | undefined;
  #stopped = false;
  /** Between two tries; aborted to try at once. */
  #nap: AbortController | undefined;
  readonly #flushes = new Set<{ resolve: () => void; reject: (error: MeshError) => void }>();
  readonly #held = new Set<() => void>();

  constructor(store: RecordStore, clock: Clock, onProblem: (message: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  get lag(): number {
    return this.#pending.size;
  }

  put(key: string, value: unknown): void {
    this.#pending.set(key, value);
    this.#wake();
  }

  delete(key: string): void {
    this.#pending.set(key, undefined);
    this.#wake();
  }

  /** Resolves while writes keep up, or when the store fails anyway. */
  async room(): Promise<void> {
    if (this.#pending.size <= laggingKeys || this.#failing !== undefined || this.#stopped) return;
    await new Promise<void>((resolve) => this.#held.add(resolve));
  }

  /** Resolves when everything put so far is durable; tries at once, and rejects when that fails. */
  flush(): Promise<void> {
    if (this.#pending.size === 0 && this.#running === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#flushes.add({ resolve, reject });
      this.#nap?.abort();
      this.#wake();
    });
  }

  /** Tries once more what is left, then ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#nap?.abort();
    this.#releaseHeld();
    await this.#running;
    // Also with nothing left: whoever asked for a flush meanwhile is answered.
    await this.#writeAll().catch((error) => this.#failed(error));
  }

  #wake(): void {
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // A flush that was asked for after the last write was settled waits for a round of its own.
      if (this.#pending.size > 0 || this.#flushes.size > 0) this.#wake();
    });
  }

  async #run(): Promise<void> {
    // One turn later, so that everything said at once goes into one transaction.
    await Promise.resolve();
    for (let wait = firstRetryMs; !this.#stopped; wait = Math.min(wait * 2, longestRetryMs)) {
      try {
        await this.#writeAll();
        return;
      } catch (error) {
        this.#failed(error);
        if (this.#stopped) return;
        this.#nap = new AbortController();
        await this.#clock.sleep(wait, this.#nap.signal).catch(() => undefined);
      }
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = this.#nextBatch();
      for (const { key } of batch.ops) this.#pending.delete(key);
      try {
        if (batch.ops.length > 0) await this.#store.txn({ if: [], then: batch.ops });
      } catch (error) {
        for (const [key, value] of batch.values) if (!this.#pending.has(key)) this.#pending.set(key, value);
        throw error;
      }
      this.#failing = undefined;
      if (this.#pending.size <= laggingKeys) this.#releaseHeld();
    }
    for (const flush of this.#flushes) flush.resolve();
    this.#flushes.clear();
  }

  #nextBatch(): { ops: StoreOp[]; values: Map<string, unknown> } {
    const ops: StoreOp[] = [];
    const values = new Map<string, unknown>();
    let bytes = 0;
    for (const [key, value] of this.#pending) {
      if (ops.length === storeLimits.opsPerTxn) break;
      const op: StoreOp = value === undefined ? { op: 'delete', key } : { op: 'put', key, value: encodeValue(value) };
      const size = Buffer.byteLength(key) + (op.op === 'put' ? op.value.length : 0);
      if (Buffer.byteLength(key) > storeLimits.keyBytes || size > storeLimits.bytesPerTxn) {
        this.#onProblem(`${key} is too large to persist (${size} bytes): after a restart it is missing until its source has synced`);
        this.#pending.delete(key);
        continue;
      }
      if (bytes + size > storeLimits.bytesPerTxn) break;
      bytes += size;
      ops.push(op);
      values.set(key, value);
    }
    return { ops, values };
  }

  #failed(error: unknown): void {
    const failure = toMeshError(error, 'STORE_UNAVAILABLE', 'last-known state cannot be persisted');
    if (this.#failing?.message !== failure.message) this.#onProblem(failure.message);
    this.#failing = failure;
    for (const flush of this.#flushes) flush.reject(failure);
    this.#flushes.clear();
    this.#releaseHeld();
  }

  #releaseHeld(): void {
    for (const release of this.#held) release();
    this.#held.clear();
  }
}
