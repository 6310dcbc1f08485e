import { MeshError } from '../../../core/errors.ts';
import { type StoreOp, storeLimits } from '../../../core/store.ts';
import type { Revision } from '../contract.ts';
import { refOfKey } from '../ref.ts';
import { countsOf } from './steps.ts';
import { changesKey, type Head, headKey, packChanges, put, revisionKey, type StoredChange, type StoredRevision } from './stored.ts';

const keptRevisions = 1000;
const keptBytes = 64 * 1024 * 1024;
/** With room for what else stands in the transaction. */
const mostBytes = storeLimits.bytesPerTxn - 256 * 1024;
/** Old revisions that one new one may push out. */
const mostTrimmed = 30;
const shownKeys = 20;

export type NewRevision = Pick<Revision, 'at' | 'by' | 'reason' | 'message' | 'confirmBy'>;

export interface RevisionWrite {
  readonly head: Head;
  readonly revision: StoredRevision;
  readonly ops: readonly StoreOp[];
}

/** Pure: the writes of one new revision, and the head after it. `oldest`: the oldest kept ones, in order. */
export function writeRevision(
  head: Head,
  step: NewRevision,
  changes: readonly StoredChange[],
  oldest: readonly StoredRevision[],
): RevisionWrite {
  const packed = packChanges(changes);
  if (packed.length > mostBytes) {
    throw new MeshError(
      'LIMIT_EXCEEDED',
      `${changes.length} changes of ${packed.length} bytes packed are too much for one step: take fewer at once`,
    );
  }
  const number = head.revision + 1;
  const revision: StoredRevision = {
    number,
    ...step,
    state: step.confirmBy === undefined ? 'confirmed' : 'tentative',
    counts: countsOf(changes),
    keys: changes.slice(0, shownKeys).map((c) => c.key),
    namespaces: [...new Set(changes.map((c) => refOfKey(c.key).namespace))].sort(),
    bytes: packed.length,
  };
  const trimmed = toTrim(head, packed.length, oldest);
  const next: Head = {
    revision: number,
    first: head.first + trimmed.length,
    bytes: head.bytes + packed.length - trimmed.reduce((sum, r) => sum + r.bytes, 0),
    ...(step.confirmBy === undefined ? {} : { tentative: { revision: number, by: step.by, confirmBy: step.confirmBy } }),
  };
  const ops: StoreOp[] = [
    put(headKey, next),
    put(revisionKey(number), revision),
    { op: 'put', key: changesKey(number), value: packed },
    ...trimmed.flatMap((r): StoreOp[] => [
      { op: 'delete', key: revisionKey(r.number) },
      { op: 'delete', key: changesKey(r.number) },
    ]),
  ];
  return { head: next, revision, ops };
}

/** How many of the oldest may have to go for one more; more of them go with the next. */
export function trimmable({ revision, first, bytes }: Head): number {
  const kept = revision - first + 1;
  return kept >= keptRevisions || bytes > keptBytes / 2 ? Math.min(mostTrimmed, Math.max(0, kept - 1)) : 0;
}

function toTrim(head: Head, added: number, oldest: readonly StoredRevision[]): readonly StoredRevision[] {
  let kept = head.revision - head.first + 2;
  let bytes = head.bytes + added;
  const trimmed: StoredRevision[] = [];
  for (const revision of oldest) {
    if (kept <= keptRevisions && bytes <= keptBytes) break;
    trimmed.push(revision);
    kept -= 1;
    bytes -= revision.bytes;
  }
  return trimmed;
}
