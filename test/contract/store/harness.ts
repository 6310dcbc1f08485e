import { type TestContext, test } from 'node:test';
import type { Store, StoreOp, WatchBatch } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';

/** One empty store, and what a suite must be able to do to it from outside. The caller of `open` cleans up after the test. */
export interface StoreHarness {
  readonly store: Store;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
  /** Makes watches from before the current revision impossible. */
  forgetHistory(): Promise<void>;
}

export type OpenHarness = (t: TestContext) => Promise<StoreHarness>;
export type StoreCase = (name: string, body: (harness: StoreHarness, t: TestContext) => Promise<void>) => void;

export function casesFor(kind: string, open: OpenHarness): StoreCase {
  return (name, body) => {
    test(`${kind} store: ${name}`, async (t) => body(await open(t), t));
  };
}

export const text = (value: Uint8Array): string => Buffer.from(value).toString('utf8');
export const put = (key: string, value = '', lease?: string): StoreOp => ({
  op: 'put',
  key,
  value: Buffer.from(value),
  ...(lease === undefined ? {} : { lease }),
});
export const del = (key: string): StoreOp => ({ op: 'delete', key });

/** Writes without a condition and returns the revision. */
export async function write(store: Store, ...ops: StoreOp[]): Promise<number> {
  return (await store.txn({ if: [], then: ops })).revision;
}

export const shape = (batch: WatchBatch): string =>
  `${batch.revision}: ${batch.changes.map((c) => (c.kind === 'put' ? `${c.entry.key}=${text(c.entry.value)}` : `-${c.key}`)).join(' ')}`;

/** Reads `count` batches, then ends the watch. Fails after 20 s. */
export async function collect(store: Store, prefix: string, after: number, count: number): Promise<WatchBatch[]> {
  const controller = new AbortController();
  const seen: WatchBatch[] = [];
  const deadline = new AbortController();
  void systemClock.sleep(20_000, deadline.signal).then(
    () => controller.abort(),
    () => undefined,
  );
  try {
    for await (const batch of store.watch(prefix, after, controller.signal)) {
      seen.push(batch);
      if (seen.length === count) break;
    }
    return seen;
  } finally {
    deadline.abort();
    controller.abort();
  }
}
