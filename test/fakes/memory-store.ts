import { MeshError } from '../../core/errors.ts';
import type { Store, StoredEntry, Txn, TxnResult } from '../../core/store.ts';
import { storeLimits } from '../../core/store.ts';

/** The reading and writing half of a Store, in memory, which survives the process under test and can be made to fail. */
export class MemoryStore implements Pick<Store, 'get' | 'list' | 'txn'> {
  readonly #entries = new Map<string, StoredEntry>();
  #revision = 1;
  /** Every call rejects while true. */
  broken = false;
  /** Writes wait for this, when set. */
  gate: Promise<void> | undefined;
  /** Operations in each transaction so far. */
  readonly txns: number[] = [];

  get(key: string): Promise<StoredEntry | undefined> {
    return this.#up().then(() => this.#entries.get(key));
  }

  async list(prefix: string): Promise<{ entries: readonly StoredEntry[]; revision: number }> {
    await this.#up();
    const entries = [...this.#entries.values()].filter((e) => e.key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: this.#revision };
  }

  async txn({ if: compares, then }: Txn): Promise<TxnResult> {
    await this.#up();
    await this.gate;
    const bytes = then.reduce((sum, op) => sum + op.key.length + (op.op === 'put' ? op.value.length : 0), 0);
    if (then.length > storeLimits.opsPerTxn || bytes > storeLimits.bytesPerTxn)
      throw new MeshError('LIMIT_EXCEEDED', 'transaction too large');
    const holds = compares.every((c) => (this.#entries.get(c.key)?.modRevision ?? 0) === c.modRevision);
    if (!holds) return { succeeded: false, revision: this.#revision };
    this.#revision += 1;
    this.txns.push(then.length);
    for (const op of then) {
      if (op.op === 'delete') {
        this.#entries.delete(op.key);
        continue;
      }
      const before = this.#entries.get(op.key);
      const createRevision = before?.createRevision ?? this.#revision;
      const version = (before?.version ?? 0) + 1;
      this.#entries.set(op.key, { key: op.key, value: op.value, createRevision, modRevision: this.#revision, version });
    }
    return { succeeded: true, revision: this.#revision };
  }

  keys(prefix = ''): string[] {
    return [...this.#entries.keys()].filter((k) => k.startsWith(prefix)).sort();
  }

  #up(): Promise<void> {
    return this.broken ? Promise.reject(new MeshError('STORE_UNAVAILABLE', 'the disk is gone', { retryable: true })) : Promise.resolve();
  }
}
