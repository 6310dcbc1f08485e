import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { type Store, type StoreOp, storeLimits } from '../../core/store.ts';

const prefix = 'peering/objects/';
const mostOps = 100;
const mostBytes = storeLimits.bytesPerTxn - 128 * 1024;
const retryMs = 1_000;

const keyOf = (cluster: string, name: string): string => `${prefix}${cluster}/${name}`;

/** What peers share, as they encoded it, so that a restart serves it at once. */
export class ObjectRecords {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  /** Undefined deletes. */
  readonly #pending = new Map<string, Uint8Array | undefined>();
  #writing: Promise<void> | undefined;

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Peer → name → bytes. */
  async load(): Promise<Map<string, Map<string, Uint8Array>>> {
    const all = new Map<string, Map<string, Uint8Array>>();
    for (const { key, value } of (await this.#store.list(prefix)).entries) {
      const rest = key.slice(prefix.length);
      const cluster = rest.slice(0, rest.indexOf('/'));
      const of = all.get(cluster) ?? new Map<string, Uint8Array>();
      all.set(cluster, of.set(rest.slice(cluster.length + 1), value));
    }
    return all;
  }

  /** Written soon, and tried again for as long as it cannot be. `value` undefined: deleted. */
  put(cluster: string, name: string, value: Uint8Array | undefined): void {
    this.#pending.set(keyOf(cluster, name), value);
    this.#wake();
  }

  /** Tries once more what waits, then ends. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#writing;
    await this.#writeAll().catch((error: unknown) => this.#failed(error));
  }

  #wake(): void {
    if (this.#writing !== undefined || this.#stop.signal.aborted) return;
    this.#writing = this.#run().finally(() => {
      this.#writing = undefined;
      if (this.#pending.size > 0) this.#wake();
    });
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#pending.size > 0 && !this.#stop.signal.aborted) {
      try {
        await this.#writeAll();
      } catch (error) {
        this.#failed(error);
        await this.#clock.sleep(retryMs, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.size > 0) {
      const ops: StoreOp[] = [];
      let bytes = 0;
      for (const [key, value] of this.#pending) {
        bytes += key.length + (value?.length ?? 0);
        if (ops.length > 0 && (ops.length >= mostOps || bytes > mostBytes)) break;
        ops.push(value === undefined ? { op: 'delete', key } : { op: 'put', key, value });
      }
      await this.#store.txn({ if: [], then: ops });
      // What was said anew meanwhile still waits.
      for (const op of ops) if (this.#pending.get(op.key) === (op.op === 'put' ? op.value : undefined)) this.#pending.delete(op.key);
    }
  }

  #failed(error: unknown): void {
    this.#log.warn(
      { error },
      'objects of peers could not be written; they are in force, and missing after a restart until the peer is there',
    );
  }
}
