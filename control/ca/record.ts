import { MeshError } from '../../core/errors.ts';
import type { Store, StoredEntry, StoreOp } from '../../core/store.ts';

/** A JSON record of the store with the revision that a compare needs. */
export interface Stored<T> {
  readonly value: T;
  readonly modRevision: number;
}

export async function getRecord<T>(store: Pick<Store, 'get'>, key: string): Promise<Stored<T> | undefined> {
  const entry = await store.get(key);
  return entry === undefined ? undefined : { value: decodeRecord<T>(entry), modRevision: entry.modRevision };
}

/** Only for keys that this process's own version or a neighbour of it wrote. */
export function decodeRecord<T>(entry: StoredEntry): T {
  try {
    const { buffer, byteOffset, byteLength } = entry.value;
    return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString('utf8')) as T;
  } catch (error) {
    throw new MeshError('INTERNAL', `store key ${entry.key} does not hold a record: restore it from a backup`, { cause: error });
  }
}

export function putRecord(key: string, value: unknown): StoreOp {
  return { op: 'put', key, value: Buffer.from(JSON.stringify(value)) };
}
