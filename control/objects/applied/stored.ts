import { gunzipSync, gzipSync } from 'node:zlib';
import { MeshError } from '../../../core/errors.ts';
import type { StoreOp } from '../../../core/store.ts';
import type { ObjectKey, OwnedObject, Revision } from '../contract.ts';

/**
 * What is durable. The revisions are the truth: one transaction writes a revision and moves the head to it. `objects/applied/`
 * is what they add up to as of `objects/checkpoint`, so that a start need not read them all, and old ones can go.
 */
export const headKey = 'objects/head';
export const checkpointKey = 'objects/checkpoint';
export const appliedPrefix = 'objects/applied/';
export const firstSeenPrefix = 'objects/first-seen/';
const revisionPrefix = 'objects/revisions/';
const changesPrefix = 'objects/changes/';
/** Far more than may be written. */
const mostChangeBytes = 64 * 1024 * 1024;

export const revisionKey = (number: number): string => `${revisionPrefix}${String(number).padStart(12, '0')}`;
export const changesKey = (number: number): string => `${changesPrefix}${String(number).padStart(12, '0')}`;

export interface AppliedDocument {
  readonly document: OwnedObject['document'];
  /** Unix ms, of the first apply of this name since it was last deleted. */
  readonly createdAt: number;
}

export interface StoredChange {
  readonly key: ObjectKey;
  readonly before?: AppliedDocument;
  readonly after?: AppliedDocument;
}

export interface Tentative {
  readonly revision: number;
  readonly by: string;
  /** Unix ms. */
  readonly confirmBy: number;
}

/** The one key that every change compares and swaps. */
export interface Head {
  /** 0 before the first. */
  readonly revision: number;
  /** The oldest that is kept. */
  readonly first: number;
  /** Of all that are kept. */
  readonly bytes: number;
  readonly tentative?: Tentative;
}

export const firstHead: Head = { revision: 0, first: 1, bytes: 0 };

/** A revision without its changes, which are many and seldom asked for. */
export interface StoredRevision extends Omit<Revision, 'changes'> {
  readonly counts: { readonly created: number; readonly configured: number; readonly deleted: number };
  /** The first few. */
  readonly keys: readonly ObjectKey[];
  /** All. */
  readonly namespaces: readonly string[];
  /** Of its changes as stored. */
  readonly bytes: number;
}

export function put(key: string, value: unknown): StoreOp {
  return { op: 'put', key, value: Buffer.from(JSON.stringify(value)) };
}

/** MeshError INTERNAL for what this program did not write. */
export function read<T>(key: string, value: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(value).toString('utf8')) as T;
  } catch (error) {
    throw unreadable(key, error);
  }
}

export function packChanges(changes: readonly StoredChange[]): Buffer {
  return gzipSync(JSON.stringify(changes));
}

export function unpackChanges(key: string, value: Uint8Array): readonly StoredChange[] {
  try {
    return JSON.parse(gunzipSync(value, { maxOutputLength: mostChangeBytes }).toString('utf8')) as StoredChange[];
  } catch (error) {
    throw unreadable(key, error);
  }
}

function unreadable(key: string, cause: unknown): MeshError {
  return new MeshError('INTERNAL', `the stored ${key} is unreadable: restore the store from a backup`, { cause });
}
