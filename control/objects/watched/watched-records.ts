import { type Store, type StoreOp, storeLimits } from '../../../core/store.ts';
import { type AppliedDocument, put, read } from '../applied/stored.ts';
import type { ObjectKey, OwnedObject } from '../contract.ts';

const prefix = 'objects/watched/';
const mostOps = 100;
const mostBytes = storeLimits.bytesPerTxn - 128 * 1024;

/** Sources are `TYPE/NAME`, and keys have slashes too. */
const prefixOf = (source: string): string => `${prefix}${encodeURIComponent(source)}/`;

/** What of each source's objects is in force, so that it is after a restart, whether the system that holds them can be reached or not. */
export class WatchedRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Sources of which something is kept. */
  async sources(): Promise<readonly string[]> {
    const { entries } = await this.#store.list(prefix);
    return [...new Set(entries.map(({ key }) => decodeURIComponent(key.slice(prefix.length).split('/')[0] ?? '')))];
  }

  async load(source: string): Promise<ReadonlyMap<ObjectKey, AppliedDocument>> {
    const from = prefixOf(source);
    const { entries } = await this.#store.list(from);
    return new Map(entries.map(({ key, value }) => [key.slice(from.length), read<AppliedDocument>(key, value)]));
  }

  /**
   * Makes the store hold `wanted` where it holds `stored`, which is brought up to date with what was written, also where that ends with
   * STORE_UNAVAILABLE. What an earlier process wrote (undefined) and `keep` has is left as it is.
   */
  async write(
    source: string,
    stored: Map<ObjectKey, OwnedObject | undefined>,
    wanted: ReadonlyMap<ObjectKey, OwnedObject>,
    keep: ReadonlySet<ObjectKey> = new Set(),
  ): Promise<void> {
    const into = prefixOf(source);
    const changes = [...wanted].filter(([key, object]) => stored.get(key) !== object);
    const gone = [...stored].flatMap(([key, object]) => (wanted.has(key) || (object === undefined && keep.has(key)) ? [] : [key]));
    const ops: { op: StoreOp; done: () => void }[] = [
      ...changes.map(([key, object]) => {
        const { document, createdAt } = object;
        return { op: put(into + key, { document, createdAt } satisfies AppliedDocument), done: () => void stored.set(key, object) };
      }),
      ...gone.map((key) => ({ op: { op: 'delete', key: into + key } as const, done: () => void stored.delete(key) })),
    ];
    while (ops.length > 0) {
      const batch = ops.splice(0, fitting(ops.map(({ op }) => op)));
      await this.#store.txn({ if: [], then: batch.map(({ op }) => op) });
      for (const { done } of batch) done();
    }
  }

  /** The source is gone for good. */
  async purge(source: string): Promise<void> {
    const kept = [...(await this.load(source)).keys()];
    await this.write(source, new Map(kept.map((key) => [key, undefined])), new Map());
  }
}

/** How many of these go into one transaction; at least one. */
function fitting(ops: readonly StoreOp[]): number {
  let bytes = 0;
  const tooMany = ops.findIndex((op, i) => {
    bytes += op.key.length + (op.op === 'put' ? op.value.length : 0);
    return i > 0 && (i >= mostOps || bytes > mostBytes);
  });
  return tooMany === -1 ? ops.length : tooMany;
}
