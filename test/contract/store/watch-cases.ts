import assert from 'node:assert/strict';
import { collect, del, put, type StoreCase, shape, write } from './harness.ts';

export function watchCases(storeCase: StoreCase): void {
  storeCase('watches from a revision: history first, then what comes', async ({ store }) => {
    const start = await write(store, put('w/before'));
    const one = await write(store, put('w/b', '1'), put('w/a', '1'), put('other', '1'));
    await write(store, put('other', '2'));
    const two = await write(store, del('w/a'), del('w/missing'));
    const seen = collect(store, 'w/', start, 3);
    const three = await write(store, put('w/c', '3'));
    assert.deepEqual((await seen).map(shape), [`${one}: w/b=1 w/a=1`, `${two}: -w/a`, `${three}: w/c=3`]);
    const [entry] = (await collect(store, 'w/', two, 1))[0]?.changes ?? [];
    assert.deepEqual(entry?.kind === 'put' && { ...entry.entry, value: '' }, {
      key: 'w/c',
      value: '',
      createRevision: three,
      modRevision: three,
      version: 1,
    });
  });

  storeCase('loses nothing and repeats nothing between list and watch', async ({ store }) => {
    const total = 200;
    const writer = (async () => {
      for (let i = 0; i < total; i++) await write(store, put('n/value', String(i)));
    })();
    const readers = Array.from({ length: 5 }, async () => {
      const { revision, entries } = await store.list('n/');
      const from = entries[0] === undefined ? 0 : entries[0].version;
      if (from === total) return [];
      const batches = await collect(store, 'n/', revision, total - from);
      return batches.map((b, i) => (b.changes[0]?.kind === 'put' ? b.changes[0].entry.version - from - i : Number.NaN));
    });
    const offsets = await Promise.all(readers);
    await writer;
    for (const each of offsets) assert.ok(each.every((offset) => offset === 1));
  });

  storeCase('ends a watch when it is aborted, before and while it waits', async ({ store }) => {
    const aborted = new AbortController();
    aborted.abort();
    for await (const _ of store.watch('w/', 0, aborted.signal)) assert.fail('an aborted watch has nothing to say');
    const waiting = new AbortController();
    const ended = (async () => {
      for await (const batch of store.watch('w/', 0, waiting.signal)) {
        assert.equal(batch.changes.length, 1);
        setImmediate(() => waiting.abort());
      }
      return 'ended';
    })();
    await write(store, put('w/1'));
    assert.equal(await ended, 'ended');
  });

  storeCase('ends watches when it is closed', async ({ store }) => {
    const after = await write(store, put('w/0'));
    const first = store.watch('w/', after, new AbortController().signal)[Symbol.asyncIterator]();
    const waiting = first.next();
    await write(store, put('w/1'));
    assert.equal((await waiting).done, false);
    const last = first.next();
    await store.close();
    assert.equal((await last).done, true);
  });

  storeCase('says COMPACTED when the history is gone', async ({ store, forgetHistory }) => {
    const before = await write(store, put('w/1', 'a'));
    for (let i = 0; i < 5; i++) await write(store, put('w/1', String(i)));
    await forgetHistory();
    await assert.rejects(collect(store, 'w/', before, 1), { code: 'COMPACTED' });
    const { revision } = await store.list('w/');
    const seen = collect(store, 'w/', revision, 1);
    const next = await write(store, put('w/1', 'new'));
    assert.deepEqual((await seen).map(shape), [`${next}: w/1=new`]);
  });
}
