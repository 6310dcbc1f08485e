import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { childController, isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Compare, Lease, Store } from '../../core/store.ts';

const prefix = 'leaders/';
const retryMs = 1_000;
/** Of the TTL: how often a lease is kept alive, and when, not heard of, it counts as lost: before anybody else can have it. */
const keepShare = 1 / 3;
const lostShare = 3 / 4;

/** A time in which this process alone leads. */
export interface Term {
  /** What each transaction of the term compares: it fails once somebody else leads, or may. */
  readonly fence: Compare;
  /** Aborts when the term is over, and before the lease can have run out: what is under way then is to end. */
  readonly signal: AbortSignal;
}

export interface LeadershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** What is led: one leader at a time. */
  readonly name: string;
  /** This process, to those who wait for it. */
  readonly replica: string;
  /** Ms until others take over from one that died; at least 1,000. */
  readonly ttlMs: number;
  /** No other process can have this store open: whoever else is named as the leader is dead. */
  readonly sole: boolean;
}

/**
 * One leader among the replicas of a control plane, by a leased key (etcd's concurrency API does the same). The lease alone proves
 * nothing, as a process may be paused between looking and writing: so each write of a term carries its fence.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #key: string;
  #waitsFor = '';

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#key = `${prefix}${options.name}`;
  }

  /**
   * Leads whenever it can, until `signal` aborts; `work` runs once a term. When it ends or throws while the term stands, leadership
   * is given up and stood for again a second later. Never rejects.
   */
  async run(work: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log, name } = this.#options;
    while (!signal.aborted) {
      try {
        const won = await this.#campaign(signal);
        if (won === undefined) continue;
        // What was lost may be had again at once; work that ends by itself is not begun again and again.
        if ((await this.#serve(won, work, signal)) === 'lost') continue;
      } catch (error) {
        if (signal.aborted) return;
        if (!isAborted(error)) log.warn({ error, name }, 'leadership was lost, or not had; trying again');
      }
      await clock.sleep(retryMs, signal).catch(() => undefined);
    }
  }

  /** The replica that leads, as the store has it; undefined: nobody does. Rejects with STORE_UNAVAILABLE. */
  async leader(): Promise<string | undefined> {
    const found = await this.#options.store.get(this.#key);
    return found === undefined ? undefined : Buffer.from(found.value).toString();
  }

  /** Undefined: it went to somebody else. */
  async #campaign(signal: AbortSignal): Promise<Won | undefined> {
    const { store, clock, log, name, replica, ttlMs, sole } = this.#options;
    const found = await store.get(this.#key);
    if (found !== undefined && !sole) {
      const leader = Buffer.from(found.value).toString();
      if (leader !== this.#waitsFor) log.info({ name, leader }, 'another replica leads');
      this.#waitsFor = leader;
      await this.#gone(found.modRevision, signal);
      return undefined;
    }
    const since = clock.monotonic();
    const lease = await store.grantLease(ttlMs);
    const put = { op: 'put', key: this.#key, value: Buffer.from(replica), lease: lease.id } as const;
    const compare: Compare = { key: this.#key, modRevision: found?.modRevision ?? 0 };
    const { succeeded } = await store.txn({ if: [compare], then: [put] });
    const held = succeeded ? await store.get(this.#key) : undefined;
    if (held?.lease === lease.id) return { lease, since, fence: { key: this.#key, modRevision: held.modRevision } };
    await lease.revoke();
    return undefined;
  }

  async #gone(after: number, signal: AbortSignal): Promise<void> {
    const { controller, release } = childController(signal);
    try {
      for await (const { changes } of this.#options.store.watch(this.#key, after, controller.signal)) {
        if (changes.some((change) => change.kind === 'delete' && change.key === this.#key)) return;
      }
    } catch (error) {
      // It is looked at anew in either case.
      if (!(error instanceof MeshError && error.code === 'COMPACTED')) throw error;
    } finally {
      controller.abort();
      release();
    }
  }

  async #serve({ lease, since, fence }: Won, work: (term: Term) => Promise<void>, signal: AbortSignal): Promise<'lost' | 'over'> {
    const { log, name } = this.#options;
    const { controller, release } = childController(signal);
    log.info({ name }, 'this replica leads');
    this.#waitsFor = '';
    const kept = this.#keep(lease, since, controller);
    try {
      await work({ fence, signal: controller.signal });
      return controller.signal.aborted ? 'lost' : 'over';
    } finally {
      controller.abort();
      release();
      await kept;
      // Others need not wait for the TTL.
      await lease.revoke().catch(() => undefined);
    }
  }

  /** Until the term is over; ends it when the lease is not sure to stand any more. */
  async #keep(lease: Lease, since: number, term: AbortController): Promise<void> {
    const { clock, log, name, ttlMs } = this.#options;
    let heard = since;
    while (!term.signal.aborted) {
      const lostAt = heard + ttlMs * lostShare;
      await clock.sleep(Math.min(ttlMs * keepShare, lostAt - clock.monotonic()), term.signal).catch(() => undefined);
      if (term.signal.aborted) return;
      const asked = clock.monotonic();
      const outcome = asked < lostAt ? await this.#keepAlive(lease, lostAt - asked, term.signal) : 'lost';
      if (outcome === 'kept') heard = asked;
      else if (outcome === 'lost') {
        log.warn({ name }, 'the lease of this leader could not be kept');
        term.abort(new MeshError('FENCED', `${name}: another replica may lead`));
      }
    }
  }

  /** `failed`: it may work the next time. */
  async #keepAlive(lease: Lease, withinMs: number, signal: AbortSignal): Promise<'kept' | 'failed' | 'lost'> {
    const { controller, release } = childController(signal);
    const late = this.#options.clock.sleep(withinMs, controller.signal).then(
      () => 'lost' as const,
      () => 'failed' as const,
    );
    const answer = lease.keepAlive().then(
      () => 'kept' as const,
      (error: unknown) => (error instanceof MeshError && error.code === 'FENCED' ? 'lost' : 'failed'),
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      controller.abort();
      release();
    }
  }
}

interface Won {
  readonly lease: Lease;
  /** Monotonic ms before it was granted. */
  readonly since: number;
  readonly fence: Compare;
}
