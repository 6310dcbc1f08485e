import type { Store, StoreOp } from '../../../core/store.ts';
import { readChanges, readCheckpoint } from './read-state.ts';
import { appliedPrefix, checkpointKey, put } from './stored.ts';

/** Below the store's limits of one transaction. */
const mostOps = 100;
const mostBytes = 1_000_000;

/**
 * Brings the table of what is applied up to a revision. Only the writer whose checkpoint stands gets through, and repeating a step
 * writes the same again: a crash between two of its transactions costs nothing. Resolves with where it got to.
 */
export async function bringCheckpoint(store: Store, to: number): Promise<number> {
  let { revision, modRevision } = await readCheckpoint(store);
  while (revision < to) {
    const changes = await readChanges(store, revision + 1);
    if (changes === undefined) return revision;
    const ops = changes.map(({ key, after }): StoreOp => {
      const name = appliedPrefix + key;
      return after === undefined ? { op: 'delete', key: name } : put(name, after);
    });
    for (const some of inPortions(ops)) {
      const { succeeded } = await store.txn({ if: [{ key: checkpointKey, modRevision }], then: some });
      if (!succeeded) return revision;
    }
    const { succeeded } = await store.txn({
      if: [{ key: checkpointKey, modRevision }],
      then: [put(checkpointKey, { revision: revision + 1 })],
    });
    if (!succeeded) return revision;
    ({ revision, modRevision } = await readCheckpoint(store));
  }
  return revision;
}

function* inPortions(ops: readonly StoreOp[]): Iterable<readonly StoreOp[]> {
  let portion: StoreOp[] = [];
  let bytes = 0;
  for (const op of ops) {
    const size = op.key.length + (op.op === 'put' ? op.value.length : 0);
    if (portion.length > 0 && (portion.length >= mostOps || bytes + size > mostBytes)) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(op);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
