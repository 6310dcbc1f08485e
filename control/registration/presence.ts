import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Lease, Store } from '../../core/store.ts';

const prefix = 'replicas/';
const ttlMs = 9_000;

/** Which replicas of this control plane are alive, by a leased key each: so that one does not expire what another hears. */
export class Presence {
  /** Of this process; never used again. */
  readonly replica: string;
  readonly #store: Store;

  constructor(store: Store, replica: string) {
    this.#store = store;
    this.replica = replica;
  }

  async others(): Promise<ReadonlySet<string>> {
    const { entries } = await this.#store.list(prefix);
    return new Set(entries.map((entry) => entry.key.slice(prefix.length)).filter((id) => id !== this.replica));
  }

  /** Stays present until `signal` aborts. */
  async keep(clock: Clock, log: Log, signal: AbortSignal): Promise<void> {
    let lease: Lease | undefined;
    while (!signal.aborted) {
      try {
        if (lease === undefined) {
          lease = await this.#store.grantLease(ttlMs);
          const put = { op: 'put', key: `${prefix}${this.replica}`, value: Buffer.alloc(0), lease: lease.id } as const;
          await this.#store.txn({ if: [], then: [put] });
        } else {
          await lease.keepAlive();
        }
      } catch (error) {
        lease = undefined;
        log.warn({ error }, 'this replica could not say that it is alive');
      }
      await clock.sleep(ttlMs / 3, signal).catch((error: unknown) => {
        if (!isAborted(error)) throw error;
      });
    }
    await lease?.revoke().catch(() => undefined);
  }
}
