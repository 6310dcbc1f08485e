import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { type Store, type StoreOp, storeLimits } from '../../core/store.ts';

const prefix = 'peering/objects/';
const agesPrefix = 'peering/object-ages/';
const knownPrefix = 'peering/objects-known/';
const waitingPrefix = 'peering/objects-waiting/';
const leadPrefix = 'peering/objects-lead/';
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
  /** Which of them go back by themselves. */
  readonly waiting: ReadonlyMap<string, KeptWaiting>;
  /** How far the peer's clock was ahead of this one's, ms; absent: not known. */
  readonly lead?: number;
}

/** Of one object that its owner has not confirmed yet; `version` and `confirmBy` as TentativeObject says them. */
export interface KeptWaiting {
  readonly version: string;
  /** Unix ms of the peer's clock. */
  readonly confirmBy: number;
  /** Absent: it is not there then. */
  readonly fallback?: { readonly bytes: Uint8Array; readonly createdAt: number };
}

interface Loaded {
  readonly objects: Map<string, Uint8Array>;
  readonly ages: Map<string, number>;
  readonly waiting: Map<string, KeptWaiting>;
  knownAt?: number;
  lead?: number;
}

/** What can change of it; undefined: gone. */
export type KeptChange =
  | { readonly kind: 'object'; readonly name: string; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'age'; readonly name: string; readonly at: number | undefined }
  | { readonly kind: 'waiting'; readonly name: string; readonly value: KeptWaiting | undefined }
  | { readonly kind: 'known'; readonly at: number | undefined }
  | { readonly kind: 'lead'; readonly by: number | undefined };

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
      const kept: Loaded = all.get(cluster) ?? { objects: new Map(), ages: new Map(), waiting: new Map() };
      all.set(cluster, kept);
      return kept;
    };
    for (const [cluster, name, value] of await this.#list(prefix)) of(cluster).objects.set(name, value);
    for (const [cluster, name, value] of await this.#list(agesPrefix)) of(cluster).ages.set(name, timeIn(value));
    for (const [cluster, , value] of await this.#list(knownPrefix)) of(cluster).knownAt = timeIn(value);
    for (const [cluster, , value] of await this.#list(leadPrefix)) of(cluster).lead = timeIn(value);
    for (const [cluster, name, value] of await this.#list(waitingPrefix)) {
      const waiting = waitingIn(value);
      if (waiting !== undefined) of(cluster).waiting.set(name, waiting);
    }
    return all;
  }

  /** Written soon, in the order of the calls, and tried again for as long as it cannot be. */
  put(cluster: string, change: KeptChange): void {
    const [key, value] = recordOf(cluster, change);
    // A deadline keeps its place before what it is about.
    if (change.kind !== 'waiting' || value === undefined) this.#pending.delete(key);
    this.#pending.set(key, value);
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

function recordOf(cluster: string, change: KeptChange): readonly [key: string, value: Uint8Array | undefined] {
  switch (change.kind) {
    case 'object':
      return [`${prefix}${cluster}/${change.name}`, change.bytes];
    case 'age':
      return [`${agesPrefix}${cluster}/${change.name}`, bytesOf(change.at)];
    case 'waiting':
      return [`${waitingPrefix}${cluster}/${change.name}`, change.value && waitingBytes(change.value)];
    case 'known':
      return [`${knownPrefix}${cluster}/`, bytesOf(change.at)];
    case 'lead':
      return [`${leadPrefix}${cluster}/`, bytesOf(change.by)];
  }
}

function waitingBytes({ version, confirmBy, fallback }: KeptWaiting): Uint8Array {
  const to = fallback && { createdAt: fallback.createdAt, bytes: Buffer.from(fallback.bytes).toString('base64') };
  return Buffer.from(JSON.stringify({ version, confirmBy, fallback: to }));
}

/** Undefined: unreadable. */
function waitingIn(value: Uint8Array): KeptWaiting | undefined {
  try {
    const kept = JSON.parse(Buffer.from(value).toString('utf8')) as {
      version: string;
      confirmBy: number;
      fallback?: { createdAt: number; bytes: string };
    };
    const { version, confirmBy, fallback } = kept;
    if (fallback === undefined) return { version, confirmBy };
    return { version, confirmBy, fallback: { createdAt: fallback.createdAt, bytes: Buffer.from(fallback.bytes, 'base64') } };
  } catch {
    return undefined;
  }
}

function bytesOf(at: number | undefined): Uint8Array | undefined {
  return at === undefined ? undefined : Buffer.from(String(at));
}

function timeIn(value: Uint8Array): number {
  const at = Number(Buffer.from(value).toString());
  return Number.isFinite(at) ? at : 0;
}
