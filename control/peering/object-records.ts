import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { type Store, type StoreOp, storeLimits } from '../../core/store.ts';

const prefix = 'peering/objects/';
const agesPrefix = 'peering/object-ages/';
const knownPrefix = 'peering/objects-known/';
const mostOps = 100;
const mostBytes = storeLimits.bytesPerTxn - 128 * 1024;
const retryMs = 1_000;

/** What of one peer outlives this process. Times are Unix ms of this cluster's clock. */
export interface KeptObjects {
  /** By SharedObject's name, as the peer encoded them. */
  readonly objects: ReadonlyMap<string, Uint8Array>;
  /** Of those that cannot be as old as the peer says. */
  readonly ages: ReadonlyMap<string, number>;
  /** When they were last known to be all that there are, or up to a minute before. */
  readonly knownAt?: number;
}

interface Loaded {
  readonly objects: Map<string, Uint8Array>;
  readonly ages: Map<string, number>;
  knownAt?: number;
}

/** What can change of it; undefined: gone. */
export type KeptChange =
  | { readonly kind: 'object'; readonly name: string; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'age'; readonly name: string; readonly at: number | undefined }
  | { readonly kind: 'known'; readonly at: number | undefined };

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

  /** By peer. */
  async load(): Promise<ReadonlyMap<string, KeptObjects>> {
    const all = new Map<string, Loaded>();
    const of = (cluster: string): Loaded => {
      const kept: Loaded = all.get(cluster) ?? { objects: new Map(), ages: new Map() };
      all.set(cluster, kept);
      return kept;
    };
    for (const [cluster, name, value] of await this.#list(prefix)) of(cluster).objects.set(name, value);
    for (const [cluster, name, value] of await this.#list(agesPrefix)) of(cluster).ages.set(name, timeIn(value));
    for (const [cluster, , value] of await this.#list(knownPrefix)) of(cluster).knownAt = timeIn(value);
    return all;
  }

  /** Written soon, and tried again for as long as it cannot be. */
  put(cluster: string, change: KeptChange): void {
    if (change.kind === 'object') this.#pending.set(`${prefix}${cluster}/${change.name}`, change.bytes);
    else if (change.kind === 'age') this.#pending.set(`${agesPrefix}${cluster}/${change.name}`, bytesOf(change.at));
    else this.#pending.set(`${knownPrefix}${cluster}/`, bytesOf(change.at));
    this.#wake();
  }

  async #list(under: string): Promise<readonly (readonly [cluster: string, name: string, value: Uint8Array])[]> {
    return (await this.#store.list(under)).entries.map(({ key, value }) => {
      const rest = key.slice(under.length);
      const slash = rest.indexOf('/');
      return [rest.slice(0, slash), rest.slice(slash + 1), value];
    });
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

function bytesOf(at: number | undefined): Uint8Array | undefined {
  return at === undefined ? undefined : Buffer.from(String(at));
}

function timeIn(value: Uint8Array): number {
  const at = Number(Buffer.from(value).toString());
  return Number.isFinite(at) ? at : 0;
}
