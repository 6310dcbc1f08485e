import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Lease, Store, StoredEntry, Txn, TxnResult, WatchBatch } from '../../core/store.ts';
import { checkKey, checkLeaseTtl, checkTxn } from './check-txn.ts';
import { Committer } from './committer.ts';
import { GroupReads } from './group-reads.ts';
import { History, type HistoryLimits } from './history.ts';
import { LeaseClock } from './lease-clock.ts';
import { corrupt, openLevel, storeError } from './level-file.ts';
import { entryPrefix, stateKey } from './memory-state.ts';
import { decodeEntry, decodeState } from './record.ts';

export interface EmbeddedStoreOptions {
  /** Made with mode 0700 when it does not exist. One store, of one process, at a time. */
  readonly dir: string;
  readonly clock: Clock;
  /** How far back a watch may start; default 10,000 revisions and 16 MiB. History does not outlive the process. */
  readonly history?: HistoryLimits;
}

/**
 * The Store on a local folder, for one replica. Leases that were alive when the process ended get their full TTL again.
 * Rejects with STORE_UNAVAILABLE when another process holds the folder (named in the message), or when what is on disk is not
 * what was written.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const opened = await openLevel(options.dir);
  return new EmbeddedStore(options, opened);
}

class EmbeddedStore implements Store {
  readonly #dir: string;
  readonly #history: History;
  readonly #committer: Committer;
  readonly #reads: GroupReads;
  readonly #leases: LeaseClock;

  constructor(options: EmbeddedStoreOptions, opened: Awaited<ReturnType<typeof openLevel>>) {
    this.#dir = options.dir;
    // A store that is new has its whole history.
    const start = opened.state.revision === 1 ? 0 : opened.state.revision;
    this.#history = new History(start, options.history ?? { batches: 10_000, bytes: 16 * 1024 * 1024 });
    this.#committer = new Committer(options.dir, options.clock, opened, this.#history, (state) => this.#leases.adopt(state.leases));
    this.#reads = new GroupReads(() => this.#committer.database());
    this.#leases = new LeaseClock(options.clock, (id) => this.#endLease(id));
    this.#leases.adopt(opened.state.leases);
    this.#leases.start();
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    checkKey(key);
    try {
      const bytes = await this.#reads.get(entryPrefix + key);
      return bytes === undefined ? undefined : this.#decode(key, bytes);
    } catch (error) {
      throw storeError(this.#dir, error);
    }
  }

  async list(prefix: string): Promise<{ entries: readonly StoredEntry[]; revision: number }> {
    const db = await this.#committer.database();
    try {
      const snapshot = db.snapshot();
      try {
        const state = await db.get(stateKey, { snapshot });
        const gte = entryPrefix + prefix;
        const records = await db.iterator({ gte, lt: `${gte}\u{10ffff}`, snapshot }).all();
        const entries = records.map(([key, bytes]) => this.#decode(key.slice(entryPrefix.length), bytes));
        const revision = state === undefined ? undefined : decodeState(state)?.revision;
        if (revision === undefined) throw corrupt(this.#dir, 'its state record cannot be read');
        return { entries, revision };
      } finally {
        await snapshot.close();
      }
    } catch (error) {
      throw storeError(this.#dir, error);
    }
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    return this.#committer.submit((draft) => draft.txn(txn));
  }

  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#history.watch(prefix, after, signal);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    checkLeaseTtl(ttlMs);
    const id = randomBytes(8).toString('hex');
    await this.#committer.submit((draft) => draft.grant(id, ttlMs));
    this.#leases.add(id, ttlMs);
    return {
      id,
      keepAlive: async () => {
        if (!this.#leases.extend(id)) {
          throw new MeshError('FENCED', `lease ${id} has expired: what was written with it is gone or will be`);
        }
      },
      revoke: async () => {
        await this.#endLease(id);
        this.#leases.remove(id);
      },
    };
  }

  async close(): Promise<void> {
    await this.#leases.stop();
    this.#history.close();
    await this.#committer.close();
  }

  #endLease(id: string): Promise<void> {
    return this.#committer.submit((draft) => draft.endLease(id));
  }

  #decode(key: string, bytes: Buffer): StoredEntry {
    const entry = decodeEntry(key, bytes);
    if (entry === undefined) throw corrupt(this.#dir, `the record of key ${key} does not match its checksum`);
    return entry;
  }
}
