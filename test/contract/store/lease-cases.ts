import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import { collect, del, put, type StoreCase, shape, write } from './harness.ts';

export function leaseCases(storeCase: StoreCase): void {
  storeCase('removes the keys of a lease that was not kept alive, at one revision', async ({ store }) => {
    const lease = await store.grantLease(3000);
    const written = await write(store, put('l/b', '1', lease.id), put('l/a', '1', lease.id), put('l/free', '1'));
    assert.equal((await store.get('l/a'))?.lease, lease.id);
    const [gone] = await collect(store, 'l/', written, 1);
    assert.equal(gone && shape(gone), `${written + 1}: -l/a -l/b`);
    assert.deepEqual(
      (await store.list('l/')).entries.map((e) => e.key),
      ['l/free'],
    );
    await assert.rejects(lease.keepAlive(), { code: 'FENCED' });
    await assert.rejects(write(store, put('l/late', '1', lease.id)), { code: 'FENCED' });
    assert.equal(await store.get('l/late'), undefined);
  });

  storeCase('keeps what is kept alive', async ({ store }) => {
    const kept = await store.grantLease(1000);
    const witness = await store.grantLease(1000);
    await write(store, put('l/kept', '1', kept.id), put('l/witness', '1', witness.id));
    // The witness is granted with the same TTL: when it has gone, the other has outlived its own.
    await until('the lease beside it expires', async () => {
      await kept.keepAlive();
      return (await store.get('l/witness')) === undefined;
    });
    await kept.keepAlive();
    assert.equal((await store.get('l/kept'))?.lease, kept.id);
    await kept.revoke();
    await kept.revoke();
    assert.equal(await store.get('l/kept'), undefined);
    await assert.rejects(kept.keepAlive(), { code: 'FENCED' });
  });

  storeCase('lets a key go when it is written again without the lease', async ({ store }) => {
    const lease = await store.grantLease(60_000);
    const other = await store.grantLease(60_000);
    await write(store, put('l/detached', '1', lease.id), put('l/moved', '1', lease.id), put('l/deleted', '1', lease.id));
    await write(store, put('l/detached', '2'), put('l/moved', '2', other.id), del('l/deleted'));
    await lease.revoke();
    assert.deepEqual(
      (await store.list('l/')).entries.map((e) => [e.key, e.lease]),
      [
        ['l/detached', undefined],
        ['l/moved', other.id],
      ],
    );
    await other.revoke();
    assert.deepEqual(
      (await store.list('l/')).entries.map((e) => e.key),
      ['l/detached'],
    );
  });

  storeCase('lets a lease outlive a restart, and expire after it', async ({ store, reopen }) => {
    const lease = await store.grantLease(10_000);
    await write(store, put('l/a', '1', lease.id));
    const again = await reopen();
    assert.equal((await again.get('l/a'))?.lease, lease.id);
    await until('the lease expires', async () => (await again.get('l/a')) === undefined);
  });
}
