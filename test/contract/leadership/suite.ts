import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Leadership, type Term } from '../../../control/leadership/index.ts';
import { MeshError } from '../../../core/errors.ts';
import { silentLog } from '../../../core/log.ts';
import type { Lease, Store } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { until } from '../../support/until.ts';
import { casesFor, type OpenHarness, put } from '../store/harness.ts';

const ttlMs = 1_000;

/** A replica that stands for leadership, as a process does that may be cut off from its store. */
class Replica {
  readonly terms: Term[] = [];
  readonly done: Promise<void>;
  /** `hangs`: calls for the lease get no answer, as over a cut link. `fails`: they are refused. */
  lease: 'works' | 'hangs' | 'fails' = 'works';
  readonly #stop = new AbortController();

  constructor(t: TestContext, store: Store, replica: string, sole = false, ttl = ttlMs) {
    const leadership = new Leadership({
      store: this.#cuttable(store),
      clock: systemClock,
      log: silentLog,
      name: 'test',
      replica,
      ttlMs: ttl,
      sole,
    });
    this.done = leadership.run((term) => this.#lead(term), this.#stop.signal);
    t.after(() => this.stop());
  }

  get leads(): boolean {
    return this.terms.at(-1)?.signal.aborted === false;
  }

  /** The newest. */
  get term(): Term {
    const term = this.terms.at(-1);
    assert.ok(term, 'it never led');
    return term;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.done;
  }

  #lead(term: Term): Promise<void> {
    this.terms.push(term);
    return new Promise((resolve) => {
      term.signal.addEventListener('abort', () => resolve(), { once: true });
      if (term.signal.aborted) resolve();
    });
  }

  #cuttable(store: Store): Store {
    const cut = (lease: Lease): Lease => ({
      id: lease.id,
      keepAlive: () => this.#through(() => lease.keepAlive()),
      revoke: () => (this.lease === 'works' ? lease.revoke() : Promise.reject(new Error('cut off'))),
    });
    return {
      get: (key) => store.get(key),
      list: (prefix) => store.list(prefix),
      txn: (txn) => store.txn(txn),
      watch: (prefix, after, signal) => store.watch(prefix, after, signal),
      grantLease: async (ms) => cut(await store.grantLease(ms)),
      close: () => store.close(),
    };
  }

  #through(call: () => Promise<void>): Promise<void> {
    if (this.lease === 'hangs') return new Promise(() => {});
    if (this.lease === 'fails') return Promise.reject(new MeshError('STORE_UNAVAILABLE', 'refused', { retryable: true }));
    return call();
  }
}

const fenced = (store: Store, { fence }: Term, value: string) => store.txn({ if: [fence], then: [put('led', value)] });

/** What leadership promises over any store. */
export function leadershipContract(kind: string, open: OpenHarness): void {
  const storeCase = casesFor(kind, open);

  for (const how of ['hangs', 'fails'] as const) {
    storeCase(`a leader whose lease ${how} ends its term before another begins one, and writes nothing after`, async ({ store }, t) => {
      const first = new Replica(t, store, 'first');
      await until('the first leads', () => first.leads);
      const second = new Replica(t, store, 'second');
      const { term } = first;
      assert.equal((await fenced(store, term, 'first')).succeeded, true);
      first.lease = how;
      let overFirst = false;
      term.signal.addEventListener('abort', () => {
        overFirst = second.terms.length === 0;
      });
      await until('the second leads', () => second.leads);
      assert.ok(overFirst, 'two led at once');
      // A process that was paused in the middle of a term knows nothing of its end.
      assert.equal((await fenced(store, term, 'late')).succeeded, false);
      assert.equal((await fenced(store, second.term, 'second')).succeeded, true);
      assert.equal(Buffer.from((await store.get('led'))?.value ?? '').toString(), 'second');
    });
  }

  storeCase('one leads at a time, for as long as it lives; who leaves is followed without waiting for its lease', async ({ store }, t) => {
    // No leader of a busy machine may be late by two thirds of it.
    const longer = 5_000;
    const replicas = ['a', 'b', 'c'].map((name) => new Replica(t, store, name, false, longer));
    const leaders = () => replicas.filter((each) => each.leads);
    for (let left = replicas.length; left > 0; left--) {
      const [leader] = await until('a leader', () => (leaders().length === 1 ? leaders() : undefined));
      assert.ok(leader);
      const witness = await store.grantLease(longer);
      await store.txn({ if: [], then: [put('witness', '', witness.id)] });
      await until('a lease of the same length expires', async () => (await store.get('witness')) === undefined);
      assert.deepEqual(leaders(), [leader], 'nobody has taken over');
      assert.equal(leader.terms.length, 1, 'and it was one term');
      const { entries } = await store.list('leaders/');
      const next = until('a successor, or nobody', async () => {
        const [entry] = (await store.list('leaders/')).entries;
        return left === 1 ? entry === undefined : entry !== undefined && entry.modRevision !== entries[0]?.modRevision;
      });
      await leader.stop();
      await next;
      replicas.splice(replicas.indexOf(leader), 1);
    }
  });

  storeCase('work that ends or throws gives leadership up, and is begun again', async ({ store }, t) => {
    let terms = 0;
    const stop = new AbortController();
    const leadership = new Leadership({ store, clock: systemClock, log: silentLog, name: 'test', replica: 'a', ttlMs, sole: false });
    const done = leadership.run(async () => {
      terms += 1;
      if (terms === 1) throw new Error('a defect');
    }, stop.signal);
    t.after(() => done);
    t.after(() => stop.abort());
    await until('a third term', () => terms >= 3);
    stop.abort();
    await done;
    assert.deepEqual((await store.list('leaders/')).entries, []);
  });

  storeCase('where no other process can have the store, a dead leader is not waited for', async ({ store }, t) => {
    const lease = await store.grantLease(600_000);
    await store.txn({ if: [], then: [put('leaders/test', 'dead', lease.id)] });
    const alone = new Replica(t, store, 'alone', true);
    await until('it leads', () => alone.leads);
    await lease.revoke();
    assert.equal((await fenced(store, alone.term, 'alone')).succeeded, true, 'the dead one takes nothing with it');
  });
}
