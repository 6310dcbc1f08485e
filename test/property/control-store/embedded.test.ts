import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import type { Store, StoredEntry, Txn, TxnResult, WatchBatch } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { shape, text } from '../../contract/store/harness.ts';

/** What a Store is, in as few lines as it can be said. */
class Model {
  revision = 1;
  readonly entries = new Map<string, StoredEntry>();
  readonly history: WatchBatch[] = [];

  txn(txn: Txn): TxnResult {
    if (txn.if.some((c) => (this.entries.get(c.key)?.modRevision ?? 0) !== c.modRevision))
      return { succeeded: false, revision: this.revision };
    const revision = this.revision + 1;
    const changes: WatchBatch['changes'][number][] = [];
    for (const op of txn.then) {
      const before = this.entries.get(op.key);
      if (op.op === 'put') {
        const entry = {
          key: op.key,
          value: op.value,
          createRevision: before?.createRevision ?? revision,
          modRevision: revision,
          version: (before?.version ?? 0) + 1,
        };
        this.entries.set(op.key, entry);
        changes.push({ kind: 'put', entry });
      } else if (this.entries.delete(op.key)) {
        changes.push({ kind: 'delete', key: op.key });
      }
    }
    if (changes.length > 0) {
      this.revision = revision;
      this.history.push({ revision, changes });
    }
    return { succeeded: true, revision: this.revision };
  }
}

const key = fc.constantFrom('a', 'a/b', 'a/c', 'ab', 'b', 'é');
const op = fc.oneof(
  fc.record({ op: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 6 }) }),
  fc.record({ op: fc.constant('delete' as const), key }),
);
// Compares are drawn as "is it what it was at step n": sometimes they hold, sometimes they are old, sometimes absurd.
const guard = fc.record({ key, kind: fc.constantFrom('now', 'absent', 'old') });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('txn' as const),
      guards: fc.array(guard, { maxLength: 2 }),
      then: fc.uniqueArray(op, { maxLength: 4, selector: (o) => o.key }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('list' as const), prefix: fc.constantFrom('', 'a', 'a/', 'b', 'x') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('together' as const), keys: fc.array(key, { minLength: 2, maxLength: 6 }) }) },
);

const readable = (e: StoredEntry) => ({ ...e, value: text(e.value) });
const byKey = (a: { key: string }, b: { key: string }) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));

test('the embedded store is the model, over any history of transactions, lists, concurrency and restarts', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-property-'));
  t.after(() => rm(dir, { recursive: true }));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const options = { dir: join(dir, String(++run)), clock: systemClock };
      let store = await openEmbeddedStore(options);
      const model = new Model();
      let watchedFrom = 1;
      try {
        for (const each of steps) {
          if (each.kind === 'reopen') {
            await store.close();
            store = await openEmbeddedStore(options);
            watchedFrom = model.revision;
          } else if (each.kind === 'list') {
            const { entries, revision } = await store.list(each.prefix);
            const expected = [...model.entries.values()].filter((e) => e.key.startsWith(each.prefix)).sort(byKey);
            assert.deepEqual({ entries: entries.map(readable), revision }, { entries: expected.map(readable), revision: model.revision });
          } else {
            await compare(store, model, each.kind === 'txn' ? [txnOf(model, each)] : each.keys.map((k) => claim(model, k)));
          }
        }
        await sameHistory(store, model, watchedFrom);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 60 },
  );
});

/** Sent together without waiting, they are decided in the order sent. */
async function compare(store: Store, model: Model, txns: readonly Txn[]): Promise<void> {
  const results = await Promise.all(txns.map((txn) => store.txn(txn)));
  const expected = txns.map((txn) => model.txn(txn));
  assert.deepEqual(results, expected);
}

function txnOf(model: Model, step: { guards: readonly { key: string; kind: string }[]; then: Txn['then'] }): Txn {
  const revisionOf = (g: { key: string; kind: string }) => {
    if (g.kind === 'absent') return 0;
    const now = model.entries.get(g.key)?.modRevision ?? 0;
    return g.kind === 'now' ? now : Math.max(0, now - 1);
  };
  return { if: step.guards.map((g) => ({ key: g.key, modRevision: revisionOf(g) })), then: step.then };
}

/** Several of these on one key at once: one succeeds. */
function claim(model: Model, k: string): Txn {
  return {
    if: [{ key: k, modRevision: model.entries.get(k)?.modRevision ?? 0 }],
    then: [{ op: 'put', key: k, value: Buffer.from('claimed') }],
  };
}

async function sameHistory(store: Store, model: Model, from: number): Promise<void> {
  const expected = model.history.filter((b) => b.revision > from);
  const seen: WatchBatch[] = [];
  const controller = new AbortController();
  if (expected.length === 0) return;
  for await (const batch of store.watch('', from, controller.signal)) {
    seen.push(batch);
    if (seen.length === expected.length) break;
  }
  assert.deepEqual(seen.map(shape), expected.map(shape));
}
