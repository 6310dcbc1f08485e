import { MeshError } from '../../../core/errors.ts';
import type { Store } from '../../../core/store.ts';
import type { ObjectKey } from '../contract.ts';
import { type AppliedObjects, withChanges } from './steps.ts';
import {
  type AppliedDocument,
  appliedPrefix,
  changesKey,
  checkpointKey,
  firstHead,
  type Head,
  headKey,
  read,
  revisionKey,
  type StoredChange,
  type StoredRevision,
  unpackChanges,
} from './stored.ts';

/** What was applied, as one revision of it. */
export interface AppliedState {
  readonly head: Head;
  /** Of the head's key in the store; 0: there is none yet. */
  readonly modRevision: number;
  readonly objects: AppliedObjects;
  /** Of the tentative revision: what each object that it changed was before; undefined: it was not there. Empty where none waits. */
  readonly fallback: ReadonlyMap<ObjectKey, AppliedDocument | undefined>;
}

const tries = 20;
/** Beyond so many revisions everything is read anew. */
const mostSteps = 50;

/** Reads all of it. What another replica writes meanwhile makes it begin again. */
export async function readState(store: Store): Promise<AppliedState> {
  for (let n = 0; n < tries; n++) {
    const { head, modRevision } = await readHead(store);
    const checkpoint = await readCheckpoint(store);
    const { entries } = await store.list(appliedPrefix);
    const table = new Map(entries.map((e): [ObjectKey, AppliedDocument] => [e.key.slice(appliedPrefix.length), read(e.key, e.value)]));
    const objects = await folded(store, table, checkpoint.revision, head.revision);
    const fallback = await fallbackOf(store, head);
    const same = (await readHead(store)).modRevision === modRevision;
    if (objects !== undefined && fallback !== undefined && same) return { head, modRevision, objects, fallback };
  }
  throw new MeshError('CONFLICT', 'what was applied changes faster than it can be read: try again', { retryable: true });
}

/** From a state that was read before to that of now. */
export async function catchUp(store: Store, state: AppliedState): Promise<AppliedState> {
  const { head, modRevision } = await readHead(store);
  if (modRevision === state.modRevision) return state;
  const steps = head.revision - state.head.revision;
  if (steps < 0 || steps > mostSteps) return readState(store);
  const objects = await folded(store, state.objects, state.head.revision, head.revision);
  const fallback = await fallbackOf(store, head);
  return objects === undefined || fallback === undefined ? readState(store) : { head, modRevision, objects, fallback };
}

/** Undefined: the head has moved on. */
async function fallbackOf(store: Store, { tentative }: Head): Promise<AppliedState['fallback'] | undefined> {
  if (tentative === undefined) return new Map();
  const changes = await readChanges(store, tentative.revision);
  return changes && new Map(changes.map(({ key, before }) => [key, before]));
}

async function folded(store: Store, from: AppliedObjects, after: number, to: number): Promise<AppliedObjects | undefined> {
  let objects = from;
  for (let number = after + 1; number <= to; number++) {
    const changes = await readChanges(store, number);
    if (changes === undefined) return undefined;
    objects = withChanges(objects, changes);
  }
  return objects;
}

async function readHead(store: Store): Promise<{ head: Head; modRevision: number }> {
  const entry = await store.get(headKey);
  return entry === undefined
    ? { head: firstHead, modRevision: 0 }
    : { head: read<Head>(headKey, entry.value), modRevision: entry.modRevision };
}

export async function readCheckpoint(store: Store): Promise<{ revision: number; modRevision: number }> {
  const entry = await store.get(checkpointKey);
  if (entry === undefined) return { revision: 0, modRevision: 0 };
  return { revision: read<{ revision: number }>(checkpointKey, entry.value).revision, modRevision: entry.modRevision };
}

/** Undefined: it is no longer, or not yet, there. */
export async function readChanges(store: Store, number: number): Promise<readonly StoredChange[] | undefined> {
  const key = changesKey(number);
  const entry = await store.get(key);
  return entry === undefined ? undefined : unpackChanges(key, entry.value);
}

export async function readRevision(store: Store, number: number): Promise<StoredRevision | undefined> {
  const key = revisionKey(number);
  const entry = await store.get(key);
  return entry === undefined ? undefined : read<StoredRevision>(key, entry.value);
}
