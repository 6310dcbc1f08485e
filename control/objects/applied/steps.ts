import { deepEqual } from '../../../core/registry/index.ts';
import type { ObjectKey, OwnedObject } from '../contract.ts';
import type { AppliedDocument, StoredChange } from './stored.ts';

export type AppliedObjects = ReadonlyMap<ObjectKey, AppliedDocument>;

/** Pure: what applying these documents changes; nothing of those that are there already, as they are. */
export function stepOfApply(
  now: AppliedObjects,
  documents: ReadonlyMap<ObjectKey, OwnedObject['document']>,
  at: number,
): readonly StoredChange[] {
  return [...documents].flatMap(([key, document]): StoredChange[] => {
    const before = now.get(key);
    if (before === undefined) return [{ key, after: { document, createdAt: at } }];
    if (deepEqual(before.document, document)) return [];
    // Shared from now on: among the owners of its name it is new.
    const createdAt = scopeOf(before.document) !== scopeOf(document) ? at : before.createdAt;
    return [{ key, before, after: { document, createdAt } }];
  });
}

export function stepOfDelete(now: AppliedObjects, keys: Iterable<ObjectKey>): readonly StoredChange[] {
  return [...new Set(keys)].flatMap((key): StoredChange[] => {
    const before = now.get(key);
    return before === undefined ? [] : [{ key, before }];
  });
}

/** What leads from `now` back to what was before the `undone` revisions, the newest first. What comes back is as old as it was. */
export function stepOfRollback(now: AppliedObjects, undone: Iterable<readonly StoredChange[]>): readonly StoredChange[] {
  const then = new Map<ObjectKey, AppliedDocument | undefined>();
  for (const changes of undone) for (const { key, before } of changes) then.set(key, before);
  return [...then].flatMap(([key, after]): StoredChange[] => {
    const before = now.get(key);
    if (deepEqual(before, after)) return [];
    return [{ key, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
  });
}

export function withChanges(now: AppliedObjects, changes: readonly StoredChange[]): AppliedObjects {
  const next = new Map(now);
  for (const { key, after } of changes) {
    if (after === undefined) next.delete(key);
    else next.set(key, after);
  }
  return next;
}

export function countsOf(changes: readonly StoredChange[]): { created: number; configured: number; deleted: number } {
  const counts = { created: 0, configured: 0, deleted: 0 };
  for (const change of changes) counts[actionOf(change)] += 1;
  return counts;
}

export function actionOf({ before, after }: StoredChange): 'created' | 'configured' | 'deleted' {
  return after === undefined ? 'deleted' : before === undefined ? 'created' : 'configured';
}

/** As it is written. */
function scopeOf(document: OwnedObject['document']): unknown {
  const { annotations } = (document['metadata'] ?? {}) as { annotations?: Readonly<Record<string, unknown>> | null };
  return annotations?.['isthmus.dev/scope'];
}
