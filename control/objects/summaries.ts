import type { ObjectFinding, ObjectItem, RevisionDetail, RevisionSummary } from '../../core/admin/index.ts';
import type { StoredChange, StoredRevision } from './applied/stored.ts';
import type { ObjectKey, ObjectOwner, ObjectView, OwnedObject } from './contract.ts';
import { describeKey, refOfKey } from './ref.ts';

export function revisionSummary(revision: StoredRevision): RevisionSummary {
  const { number, by, reason, message, state, counts } = revision;
  return {
    number,
    at: new Date(revision.at).toISOString(),
    by,
    reason,
    message,
    state,
    ...(revision.confirmBy === undefined ? {} : { confirmBy: new Date(revision.confirmBy).toISOString() }),
    ...counts,
    objects: revision.keys.map(describeKey),
  };
}

export function revisionDetail(revision: StoredRevision, changes: readonly StoredChange[]): RevisionDetail {
  return {
    ...revisionSummary(revision),
    changes: changes.map(({ key, before, after }) => ({
      ...refOfKey(key),
      ...(before === undefined ? {} : { before: before.document }),
      ...(after === undefined ? {} : { after: after.document }),
    })),
  };
}

/** Pure: one object for `get`, with all that is said of it. */
export function objectItem(object: OwnedObject, inForce: boolean, findings: readonly ObjectFinding[], withDocument: boolean): ObjectItem {
  const { ref, owner, document } = object;
  return {
    ...ref,
    apiVersion: String(document['apiVersion'] ?? ''),
    owner,
    scope: 'scope' in object.object ? String(object.object.scope) : 'cluster',
    createdAt: new Date(object.createdAt).toISOString(),
    inForce,
    findings: [...findings],
    ...(withDocument ? { document } : {}),
  };
}

/** Pure: what an owner has and cannot be used here. */
export function refusedItem({ key, owner, violations }: ObjectView['refused'][number]): ObjectItem {
  const findings = violations.map(({ path, message }) => ({ severity: 'error', code: 'refused', path, message }));
  const unknown = { apiVersion: '', scope: '', createdAt: new Date(0).toISOString() };
  return { ...refOfKey(key), owner, ...unknown, inForce: false, findings };
}

export function conflictFinding(key: ObjectKey, winner: ObjectOwner, owner: ObjectOwner): ObjectFinding {
  const wins = winner.cluster === owner.cluster && winner.source === owner.source;
  const message = wins
    ? `others have ${describeKey(key)} too; this one is the oldest, and in force`
    : `that of ${winner.source} in cluster ${winner.cluster} is older, and in force`;
  return { severity: 'warning', code: 'conflict', path: '', message };
}
