import { accept, type Checked } from '../../core/validate.ts';
import { describeKey, type ObjectOwner, type OwnedObject, objectKey, ownedObject, type ParseDocument, refOf } from '../objects/index.ts';
import type { ReceivedObject } from './decode-objects.ts';
import { isShared, objectVersion } from './shared-objects.ts';

/** One of a peer's objects as it is held here. Immutable: what did not change is the same one. */
export interface Held {
  /** SharedObject's. */
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly source: string;
  readonly key: string;
  readonly namespace: string;
  /** As the peer says. */
  readonly claimed: number;
  /** The age that it counts with, Unix ms; until it is in force, what the peer says. */
  readonly createdAt: number;
  readonly made: Checked<OwnedObject>;
}

/** Pure. `bytes` are kept. */
export function heldObject(cluster: string, parse: ParseDocument, name: string, object: ReceivedObject, bytes: Uint8Array): Held {
  const { source, key, namespace, createdAt, document } = object;
  const owner: ObjectOwner = { cluster, source };
  const read = parse({ file: describeKey(key), value: document, lineOf: () => 1 });
  const held = { name, version: objectVersion(bytes), bytes, source, key, namespace, claimed: createdAt, createdAt };
  if (!read.ok) return { ...held, made: read };
  const made = ownedObject(document, read.value, owner, createdAt);
  if (objectKey(refOf(document, read.value)) !== key) return { ...held, made: refuse('metadata.name', 'is not what it is shared as') };
  if (!isShared(made)) return { ...held, made: refuse('metadata.annotations', 'is not of scope mesh') };
  return { ...held, made: accept(made) };
}

/** The same, counting with another age. */
export function aged(held: Held, createdAt: number): Held {
  const { made } = held;
  if (held.createdAt === createdAt) return held;
  if (!made.ok) return { ...held, createdAt };
  const { document, object, owner } = made.value;
  return { ...held, createdAt, made: accept(ownedObject(document, object, owner, createdAt)) };
}

export function refuse(path: string, message: string): Checked<OwnedObject> {
  return { ok: false, violations: [{ path, message }] };
}
