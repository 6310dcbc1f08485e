import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import { put, write } from '../../contract/store/harness.ts';
import { until } from '../../support/until.ts';

/** Time that stands still until it is turned. */
class TurnedClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<() => void>();

  now = () => this.#now;
  monotonic = () => this.#now;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const at = this.#now + ms;
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.#sleepers.delete(check);
        reject(new MeshError('ABORTED', 'wait aborted'));
      };
      const check = () => {
        if (this.#now < at) return;
        this.#sleepers.delete(check);
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      if (signal?.aborted === true) return aborted();
      signal?.addEventListener('abort', aborted, { once: true });
      this.#sleepers.add(check);
      check();
    });
  }

  turn(ms: number): void {
    this.#now += ms;
    for (const check of [...this.#sleepers]) check();
  }
}

test('thousands of leases: each ends at its own time and not before, and a restart gives those left their whole time again', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-leases-'));
  const clock = new TurnedClock();
  let store = await openEmbeddedStore({ dir, clock });
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });
  const ttlOf = (i: number) => 10_000 + (i % 3) * 10_000;
  const leases = await Promise.all(Array.from({ length: 3000 }, (_, i) => store.grantLease(ttlOf(i))));
  await Promise.all(leases.map((lease, i) => write(store, put(`l/${i}`, '', lease.id))));
  const left = async () => (await store.list('l/')).entries.length;
  clock.turn(9_999);
  assert.equal(await left(), 3000);
  await assert.doesNotReject(leases[0]?.keepAlive() ?? Promise.reject());
  clock.turn(1);
  await assert.rejects(leases[3]?.keepAlive() ?? Promise.resolve(), { code: 'FENCED' });
  await until('the shortest are gone but the one kept', async () => (await left()) === 2001);
  assert.ok((await store.get('l/0')) !== undefined);
  await store.close();
  store = await openEmbeddedStore({ dir, clock });
  clock.turn(9_999);
  assert.equal(await left(), 2001);
  clock.turn(1);
  await until('the kept one is gone', async () => (await left()) === 2000);
  clock.turn(10_000);
  await until('the next are gone', async () => (await left()) === 1000);
  clock.turn(10_000);
  await until('all are gone', async () => (await left()) === 0);
});
