import { MeshError } from '../../../core/errors.ts';
import type { Lease, Store } from '../../../core/store.ts';
import { decodeSights, encodeSights, type Sights } from './sight.ts';

const prefix = 'migrations/sights/';

export interface SightBoardOptions {
  readonly store: Pick<Store, 'list' | 'txn' | 'grantLease'>;
  /** This process; no `/`. */
  readonly replica: string;
  /** What was written is gone when it was not renewed for so long; at least 1,000, and longer than between two writes. */
  readonly ttlMs: number;
}

/**
 * Where replicas tell each other what their own clients report, for the one of them that leads: one key each, which goes with its replica. Not
 * durable state: what is lost with it is measured again.
 */
export class SightBoard {
  readonly #options: SightBoardOptions;
  #lease: Lease | undefined;

  constructor(options: SightBoardOptions) {
    this.#options = options;
  }

  /** Replaces what this replica has told before. Rejects as the store does; then call it again with newer ones. */
  async publish(sights: Sights): Promise<void> {
    try {
      await this.#write(sights, await this.#keep());
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'FENCED') throw error;
      // A process that was paused for longer than its lease: what it had told is gone, and it may tell it again.
      this.#lease = undefined;
      await this.#write(sights, await this.#keep());
    }
  }

  /** What all others have told, by replica. What another version has written is left out. */
  async others(): Promise<ReadonlyMap<string, Sights>> {
    const { entries } = await this.#options.store.list(prefix);
    const told = new Map<string, Sights>();
    for (const { key, value } of entries) {
      const replica = key.slice(prefix.length);
      const sights = replica === this.#options.replica ? undefined : decodeSights(value);
      if (sights !== undefined) told.set(replica, sights);
    }
    return told;
  }

  /** Takes back what it told. Idempotent; never rejects, as the lease ends by itself. */
  async close(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.revoke().catch(() => undefined);
  }

  async #keep(): Promise<Lease> {
    if (this.#lease === undefined) this.#lease = await this.#options.store.grantLease(this.#options.ttlMs);
    else await this.#lease.keepAlive();
    return this.#lease;
  }

  async #write(sights: Sights, lease: Lease): Promise<void> {
    const { store, replica } = this.#options;
    await store.txn({ if: [], then: [{ op: 'put', key: `${prefix}${replica}`, value: encodeSights(sights), lease: lease.id }] });
  }
}
