import type { Etcd3, ILeaseKeepAliveResponse, IRequestOp } from 'etcd3';
import { MeshError } from '../../core/errors.ts';
import type { Lease, Store, StoredEntry, StoreOp, Txn, TxnResult, WatchBatch } from '../../core/store.ts';
import { checkKey, checkLeaseTtl, checkTxn } from './check-txn.ts';
import { connect, type EtcdStoreOptions, etcdError, unavailable, withFailover } from './etcd-connection.ts';
import { watchEtcd } from './etcd-watch.ts';
import { KeySpace } from './key-space.ts';

/**
 * The Store on etcd 3.4 or later, for several replicas. Revisions are etcd's own, so they move with everything else that is in it.
 * Leases shorter than etcd's least (about 2 s) live that long. Rejects with STORE_UNAVAILABLE when no member answers,
 * or refuses the credential.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const client = connect(options);
  const store = new EtcdStore(client, options);
  try {
    await store.get('probe');
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

const pageSize = 500;

type KeepAliveStream = Awaited<ReturnType<Etcd3['leaseClient']['leaseKeepAlive']>> & AsyncIterable<ILeaseKeepAliveResponse>;

class EtcdStore implements Store {
  readonly #client: Etcd3;
  readonly #options: EtcdStoreOptions;
  readonly #keys: KeySpace;
  readonly #watches = new Set<AbortController>();
  #closed = false;

  constructor(client: Etcd3, options: EtcdStoreOptions) {
    this.#client = client;
    this.#options = options;
    this.#keys = new KeySpace(options.prefix);
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    checkKey(key);
    const { kvs } = await this.#call(true, () => this.#client.kv.range({ key: this.#keys.key(key) }));
    return kvs[0] === undefined ? undefined : this.#keys.entry(kvs[0]);
  }

  async list(prefix: string): Promise<{ entries: readonly StoredEntry[]; revision: number }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listOnce(prefix);
      } catch (error) {
        // The revision of the first page was compacted before the last was read.
        if (!(error instanceof MeshError && error.code === 'COMPACTED') || attempt === 5) throw error;
      }
    }
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    const compare = txn.if.map((c) => ({
      key: this.#keys.key(c.key),
      target: 'Mod' as const,
      result: 'Equal' as const,
      mod_revision: String(c.modRevision),
    }));
    const success = txn.then.map((op) => this.#request(op));
    const { succeeded, header } = await this.#call(false, () => this.#client.kv.txn({ compare, success, failure: [] }));
    return { succeeded, revision: Number(header.revision) };
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    if (this.#closed || signal.aborted) return;
    const controller = new AbortController();
    const relay = () => controller.abort();
    signal.addEventListener('abort', relay, { once: true });
    this.#watches.add(controller);
    try {
      yield* watchEtcd(this.#client, this.#options, prefix, after, controller.signal);
    } finally {
      this.#watches.delete(controller);
      signal.removeEventListener('abort', relay);
    }
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    checkLeaseTtl(ttlMs);
    const { ID: id } = await this.#call(true, () => this.#client.leaseClient.leaseGrant({ TTL: String(Math.ceil(ttlMs / 1000)), ID: '0' }));
    return {
      id,
      keepAlive: () => this.#call(true, () => this.#keepAlive(id)),
      revoke: async () => {
        try {
          await this.#call(true, () => this.#client.leaseClient.leaseRevoke({ ID: id }));
        } catch (error) {
          if (!(error instanceof MeshError && error.code === 'FENCED')) throw error;
        }
      },
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of this.#watches) watch.abort();
    this.#client.close();
  }

  async #listOnce(prefix: string): Promise<{ entries: StoredEntry[]; revision: number }> {
    const { key: start, range_end } = this.#keys.range(prefix);
    const entries: StoredEntry[] = [];
    let key = start;
    let revision = 0;
    for (;;) {
      const page = { key, range_end, limit: pageSize, revision: String(revision) };
      const { kvs, more, header } = await this.#call(true, () => this.#client.kv.range(page));
      if (revision === 0) revision = Number(header.revision);
      for (const kv of kvs) entries.push(this.#keys.entry(kv));
      const last = kvs.at(-1);
      if (!more || last === undefined) return { entries, revision };
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  /** One keep-alive on a stream of its own: they are rare, and a stream that breaks then concerns no other lease. */
  async #keepAlive(id: string): Promise<void> {
    const stream = (await this.#client.leaseClient.leaseKeepAlive({ deadline: this.#options.clock.now() + 5_000 })) as KeepAliveStream;
    try {
      stream.write({ ID: id });
      for await (const { TTL } of stream) {
        if (Number(TTL) > 0) return;
        throw new MeshError('FENCED', `lease ${id} has expired: what was written with it is gone`);
      }
      throw new Error('etcd ended the stream');
    } finally {
      stream.end();
      stream.cancel();
    }
  }

  #request(op: StoreOp): IRequestOp {
    const key = this.#keys.key(op.key);
    if (op.op === 'delete') return { request_delete_range: { key } };
    return { request_put: { key, value: Buffer.from(op.value), lease: op.lease ?? '0' } };
  }

  async #call<T>(repeatable: boolean, call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw unavailable('the store has been closed', undefined, false);
    try {
      return await withFailover(this.#options.endpoints.length, repeatable, call);
    } catch (error) {
      throw etcdError(this.#options, error);
    }
  }
}
