import assert from 'node:assert/strict';
import { type Store, storeLimits } from '../../../core/store.ts';
import { del, put, type StoreCase, text, write } from './harness.ts';

export function keyCases(storeCase: StoreCase): void {
  revisionCases(storeCase);
  compareCases(storeCase);
  listCases(storeCase);
  limitCases(storeCase);
}

function revisionCases(storeCase: StoreCase): void {
  storeCase('counts revisions and versions as etcd does', async ({ store }) => {
    assert.equal(await store.get('a'), undefined);
    const first = await write(store, put('a', 'one'));
    const second = await write(store, put('a', 'two'), put('b', 'x'));
    assert.equal(second, first + 1);
    const a = await store.get('a');
    assert.deepEqual(
      { ...a, value: text(a?.value ?? new Uint8Array()) },
      {
        key: 'a',
        value: 'two',
        createRevision: first,
        modRevision: second,
        version: 2,
      },
    );
    assert.equal((await store.get('b'))?.modRevision, second);
    await write(store, del('a'));
    assert.equal(await store.get('a'), undefined);
    const again = await write(store, put('a', 'three'));
    const reborn = await store.get('a');
    assert.deepEqual([reborn?.createRevision, reborn?.version], [again, 1]);
  });

  storeCase('does not move the revision when nothing changes', async ({ store }) => {
    const before = await write(store, put('a'));
    assert.equal(await write(store, del('missing')), before);
    assert.equal(await write(store), before);
  });

  storeCase('keeps bytes as they are', async ({ store }) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await store.txn({ if: [], then: [{ op: 'put', key: 'bytes', value: bytes }, put('empty', ''), put('ключ/ü', 'é')] });
    assert.deepEqual(new Uint8Array((await store.get('bytes'))?.value ?? []), bytes);
    assert.equal((await store.get('empty'))?.value.length, 0);
    assert.equal(text((await store.get('ключ/ü'))?.value ?? new Uint8Array()), 'é');
  });

  storeCase('keeps entries and revisions over a restart', async ({ store, reopen }) => {
    await write(store, put('a', 'one'));
    const last = await write(store, put('a', 'two'));
    await write(store, put('gone'));
    const end = await write(store, del('gone'));
    const again = await reopen();
    const a = await again.get('a');
    assert.deepEqual([text(a?.value ?? new Uint8Array()), a?.modRevision, a?.version], ['two', last, 2]);
    assert.equal((await again.list('')).revision, end);
    assert.equal(await write(again, put('b')), end + 1);
  });

  storeCase('closes twice, and refuses work afterwards', async ({ store }) => {
    await store.close();
    await store.close();
    await assert.rejects(store.get('a'), { code: 'STORE_UNAVAILABLE' });
    await assert.rejects(store.txn({ if: [], then: [put('a')] }), { code: 'STORE_UNAVAILABLE' });
  });
}

function compareCases(storeCase: StoreCase): void {
  storeCase('writes all or nothing', async ({ store }) => {
    const made = await store.txn({ if: [{ key: 'a', modRevision: 0 }], then: [put('a', 'first')] });
    assert.equal(made.succeeded, true);
    const lost = await store.txn({ if: [{ key: 'a', modRevision: 0 }], then: [put('a', 'second'), put('b')] });
    assert.deepEqual(lost, { succeeded: false, revision: made.revision });
    assert.equal(await store.get('b'), undefined);
    const one = { key: 'a', modRevision: made.revision };
    assert.equal((await store.txn({ if: [one, { key: 'b', modRevision: 7 }], then: [del('a')] })).succeeded, false);
    assert.equal((await store.txn({ if: [one], then: [del('a'), put('b')] })).succeeded, true);
    assert.equal(await store.get('a'), undefined);
  });

  storeCase('lets exactly one of many writers through', async ({ store }) => {
    const claims = await Promise.all(
      Array.from({ length: 50 }, (_, i) => store.txn({ if: [{ key: 'lock', modRevision: 0 }], then: [put('lock', String(i))] })),
    );
    assert.equal(claims.filter((c) => c.succeeded).length, 1);
    await Promise.all(Array.from({ length: 20 }, () => increment(store, 'counter')));
    assert.equal(text((await store.get('counter'))?.value ?? new Uint8Array()), '20');
  });
}

async function increment(store: Store, key: string): Promise<void> {
  for (;;) {
    const entry = await store.get(key);
    const next = put(key, String(entry === undefined ? 1 : Number(text(entry.value)) + 1));
    if ((await store.txn({ if: [{ key, modRevision: entry?.modRevision ?? 0 }], then: [next] })).succeeded) return;
  }
}

function listCases(storeCase: StoreCase): void {
  storeCase('lists a prefix in byte order', async ({ store }) => {
    const keys = ['a/2', 'a/10', 'a/1', 'a', 'a0', 'b/1', 'a/é', 'a/😀', 'a/～'];
    await write(store, ...keys.map((k) => put(k)));
    const listed = (await store.list('a/')).entries.map((e) => e.key);
    assert.deepEqual(listed, ['a/1', 'a/10', 'a/2', 'a/é', 'a/～', 'a/😀']);
    assert.equal((await store.list('')).entries.length, keys.length);
    assert.deepEqual((await store.list('nothing/')).entries, []);
  });

  storeCase('lists more than one page at one revision while others write', async ({ store }) => {
    const all = Array.from({ length: 2500 }, (_, i) => `p/${String(i).padStart(5, '0')}`);
    for (let i = 0; i < all.length; i += 100) await write(store, ...all.slice(i, i + 100).map((k) => put(k, '0')));
    let stop = false;
    // Two keys at the far ends always change together; a list that mixes revisions sees them differ.
    const writer = (async () => {
      for (let n = 1; !stop; n++) await write(store, put('p/00000', String(n)), put('p/02499', String(n)));
    })();
    for (let round = 0; round < 10; round++) {
      const { entries, revision } = await store.list('p/');
      assert.equal(entries.length, all.length);
      assert.equal(text(entries[0]?.value ?? new Uint8Array()), text(entries.at(-1)?.value ?? new Uint8Array()));
      assert.ok(entries.every((e) => e.modRevision <= revision));
    }
    stop = true;
    await writer;
  });
}

function limitCases(storeCase: StoreCase): void {
  storeCase('takes what is just within the limits and names what is beyond', async ({ store }) => {
    const large = 'x'.repeat(storeLimits.bytesPerTxn - 10);
    await write(store, put('large', large));
    assert.equal((await store.get('large'))?.value.length, large.length);
    const many = Array.from({ length: storeLimits.opsPerTxn }, (_, i) => put(`many/${i}`));
    await store.txn({ if: many.map((op) => ({ key: op.key, modRevision: 0 })), then: many });
    await assert.rejects(write(store, put('a', `${large}${large}`)), { code: 'LIMIT_EXCEEDED' });
    await assert.rejects(write(store, ...many, put('one-more')), { code: 'LIMIT_EXCEEDED' });
    assert.equal(await store.get('a'), undefined);
  });

  storeCase('refuses keys that are none, and a key written twice', async ({ store }) => {
    for (const key of ['', '/a', 'a\nb', 'k'.repeat(storeLimits.keyBytes + 1)]) {
      await assert.rejects(write(store, put(key)), { code: 'INTERNAL' });
    }
    await assert.rejects(write(store, put('a'), del('a')), { code: 'INTERNAL' });
    assert.equal((await store.list('')).entries.length, 0);
  });
}
