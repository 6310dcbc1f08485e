import { createHash } from 'node:crypto';
import { type EncodedResource, peering } from '../../core/xds/index.ts';
import type { ObjectSource, OwnedObject } from '../objects/index.ts';
import { objectKey } from '../objects/index.ts';

/** What one cluster has, or holds, of one owner's shared objects. */
export interface SharedState {
  readonly owner: string;
  readonly revision: number;
  readonly hash: string;
  readonly objects: number;
  /** What cannot be used here. */
  readonly refused: readonly { readonly object: string; readonly reason: string }[];
}

/** Everything of scope mesh that a cluster owns. */
export interface SharedSet {
  readonly resources: readonly EncodedResource[];
  /** TentativeObjects: which of it nobody has confirmed yet, and what it goes back to. */
  readonly tentative: readonly EncodedResource[];
  readonly state: SharedState;
}

/** Of one document, as JSON. */
export const longestDocument = 256 * 1024;

export function objectVersion(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('base64url');
}

/** Pure: the same for the same set, whoever holds it. */
export function contentHash(objects: Iterable<{ readonly name: string; readonly version: string }>): string {
  const lines = [...objects].map(({ name, version }) => `${name} ${version}\n`).sort();
  return createHash('sha256').update(lines.join('')).digest('base64url');
}

export function sharedName(source: string, key: string): string {
  return `${source}/${key}`;
}

/** Of a HeldObject. */
export function heldName(owner: string, object: string): string {
  return `${owner}/${object}`;
}

/** What is held of one owner's objects, as others are told of it. */
export interface HeldSet {
  readonly state: SharedState;
  /** HeldObjects; the same list for as long as nothing differs. */
  readonly named: readonly EncodedResource[];
  /** The same by SharedObject's name: its version. */
  readonly versions: ReadonlyMap<string, string>;
}

export function encodeHeld(held: peering.HeldObject): EncodedResource {
  const value = peering.HeldObject.encode(held).finish();
  return { name: heldName(held.owner, held.object), version: objectVersion(value), value };
}

const encodings = new WeakMap<OwnedObject, EncodedResource>();

function encodeSharedObject(object: OwnedObject): EncodedResource {
  const known = encodings.get(object);
  if (known !== undefined) return known;
  const { ref, owner, createdAt, document } = object;
  const message = { ...ref, source: owner.source, createdAtMs: createdAt, document: Buffer.from(JSON.stringify(document)) };
  const value = peering.SharedObject.encode(peering.SharedObject.create(message)).finish();
  const resource = { name: sharedName(owner.source, objectKey(ref)), version: objectVersion(value), value };
  encodings.set(object, resource);
  return resource;
}

/** Of the changes that nobody has confirmed yet those that peers see. */
function encodeTentative({ owner, objects, tentative }: ObjectSource): readonly EncodedResource[] {
  if (tentative === undefined) return [];
  const shared = (object: OwnedObject | undefined) => (object !== undefined && isShared(object) ? encodeSharedObject(object) : undefined);
  return [...tentative.fallback].flatMap(([key, before]) => {
    const [now, then] = [shared(objects.get(key)), shared(before)];
    if (now?.version === then?.version) return [];
    const name = sharedName(owner.source, key);
    const said = { object: name, version: now?.version ?? '', confirmByMs: tentative.confirmBy, fallback: Buffer.from(then?.value ?? []) };
    const value = peering.TentativeObject.encode(said).finish();
    return [{ name, version: objectVersion(value), value }];
  });
}

/** Follows what this cluster owns; the same set is the same object. */
export class SharedObjects {
  readonly #cluster: string;
  readonly #now: () => number;
  #sources: readonly ObjectSource[] = [];
  #set: SharedSet | undefined;

  /** `now`: Unix ms; revisions grow over restarts by it. */
  constructor(cluster: string, now: () => number) {
    this.#cluster = cluster;
    this.#now = now;
  }

  /** As of the last update; undefined before the first. */
  get current(): SharedSet | undefined {
    return this.#set;
  }

  /** `sources`: all of this cluster's, each known as a whole. */
  update(sources: readonly ObjectSource[]): SharedSet {
    const before = this.#set;
    const same = sources.length === this.#sources.length && sources.every((s) => this.#sources.includes(s));
    if (before !== undefined && same) return before;
    this.#sources = sources;
    const resources = sources.flatMap((s) => [...s.objects.values()].filter(isShared).map(encodeSharedObject));
    const tentative = sources.flatMap(encodeTentative);
    const hash = contentHash(resources);
    if (before !== undefined && before.state.hash === hash) {
      if (contentHash(before.tentative) !== contentHash(tentative)) this.#set = { ...before, tentative };
      return this.#set ?? before;
    }
    const revision = Math.max(this.#now(), (before?.state.revision ?? 0) + 1);
    this.#set = { resources, tentative, state: { owner: this.#cluster, revision, hash, objects: resources.length, refused: [] } };
    return this.#set;
  }
}

/** The others stay where they are. */
export function isShared({ object }: OwnedObject): boolean {
  return 'scope' in object && object.scope === 'mesh';
}

const mostNamed = 100;
const longestReason = 512;

/** `peer`: who is told. What an owner calls its objects is told to the owner alone. */
export function encodeState(state: SharedState, peer: string): EncodedResource {
  const { owner, revision, hash, objects, refused } = state;
  const named = owner === peer ? refused.slice(0, mostNamed) : [];
  const message = peering.ObjectsState.create({
    owner,
    revision,
    hash,
    objects,
    refusedObjects: refused.length,
    refused: named.map(({ object, reason }) => ({ object, reason: reason.slice(0, longestReason) })),
  });
  const value = peering.ObjectsState.encode(message).finish();
  return { name: owner, version: objectVersion(value), value };
}
