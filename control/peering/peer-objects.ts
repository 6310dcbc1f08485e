import type { ClusterId } from '../../core/model/index.ts';
import { accept, type Checked, formatViolation, type Violation } from '../../core/validate.ts';
import { peeringTypeUrls as urls } from '../../core/xds/index.ts';
import {
  describeKey,
  type ObjectOwner,
  type ObjectSource,
  type OwnedObject,
  objectKey,
  ownedObject,
  type ParseDocument,
  refOf,
} from '../objects/index.ts';
import { boundedAge } from './age-bound.ts';
import type { PeerObjectsSink } from './contract.ts';
import type { ReceivedObject } from './decode-objects.ts';
import { decodePeerResource } from './decode-peering.ts';
import type { KeptChange, KeptObjects } from './object-records.ts';
import { PeerWords } from './peer-words.ts';
import { contentHash, encodeHeld, type HeldSet, isShared, objectVersion, type SharedState } from './shared-objects.ts';

/** Of one peer: a bound on what a broken one can make us hold. */
const mostObjects = 20_000;
const mostBytes = 64 * 1024 * 1024;
/** Of when they were last known to be all, on disk. */
const keepKnownMs = 60_000;

export interface PeerObjectsOptions {
  readonly cluster: ClusterId;
  readonly sink: PeerObjectsSink;
  readonly parse: ParseDocument;
  /** Namespaces (PeerSpec) that the peer may bring; `*`: all. Asked for at each change. */
  readonly namespaces: () => readonly string[];
  /** Unix ms. */
  readonly now: () => number;
  /** To be kept over restarts. */
  readonly keep: (change: KeptChange) => void;
  /** What is held, or what the peer says of any owner, has changed. */
  readonly onChange: () => void;
}

interface Held {
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

/**
 * The objects that one peer owns and shares. What a new stream brings is put in the place of what was held at once, at its SyncMark;
 * from there on each change counts at once. A peer that is silent, or of a version that shares no objects, changes nothing.
 */
export class PeerObjects {
  readonly #options: PeerObjectsOptions;
  /** By this stream, or the one that it resumes. */
  #offered = new Map<string, Held>();
  #offeredBytes = 0;
  /** In force, and kept. */
  #held: ReadonlyMap<string, Held> = new Map();
  readonly #published = new Set<string>();
  /** What the peer says of anybody's objects. */
  readonly words = new PeerWords();
  /** The peer's last word on its own, as of what is held. */
  #revision = 0;
  #told: HeldSet | undefined;
  #known = false;
  /** When `#held` was last known to be all that there is. */
  #knownAt: number | undefined;
  #knownKept = 0;
  #current = false;
  #dirty = false;

  constructor(options: PeerObjectsOptions) {
    this.#options = options;
  }

  /** What an earlier process kept; before the first stream. What cannot be read any more is left out. */
  restore({ objects, ages, knownAt }: KeptObjects): void {
    const held = new Map<string, Held>();
    for (const [name, bytes] of objects) {
      const decoded = decodePeerResource(urls.sharedObject, name, bytes);
      if (!decoded.ok || decoded.value.kind !== 'object') continue;
      const made = this.#made(name, decoded.value.value, bytes);
      held.set(name, aged(made, Math.max(made.claimed, ages.get(name) ?? 0)));
    }
    this.#held = held;
    this.#known = objects.size > 0;
    this.#knownAt = knownAt;
    this.#publish();
  }

  opened(fresh: boolean): void {
    this.#current = false;
    if (!fresh) return;
    this.#offered.clear();
    this.#offeredBytes = 0;
    this.words.clear();
    this.#dirty = true;
  }

  lost(): void {
    this.#current = false;
    this.#options.onChange();
  }

  /** What is returned was not taken. */
  take(name: string, object: ReceivedObject, bytes: Uint8Array): readonly string[] {
    const before = this.#offered.get(name);
    const size = this.#offeredBytes + bytes.length - (before?.bytes.length ?? 0);
    if (before === undefined && this.#offered.size >= mostObjects) return [`more than ${mostObjects} objects of one peer`];
    if (size > mostBytes) return [`more than ${mostBytes} bytes of objects of one peer`];
    // The response's buffer would stay for as long as the object does.
    const own = Uint8Array.from(bytes);
    const held = this.#held.get(name);
    this.#offered.set(name, held?.version === objectVersion(own) ? held : this.#made(name, object, own));
    this.#offeredBytes = size;
    this.#dirty = true;
    return [];
  }

  remove(typeUrl: string, name: string): void {
    this.words.remove(typeUrl, name);
    const before = typeUrl === urls.sharedObject ? this.#offered.get(name) : undefined;
    if (before === undefined) return;
    this.#offered.delete(name);
    this.#offeredBytes -= before.bytes.length;
    this.#dirty = true;
  }

  /** Still everything: nothing has come since that is not here. */
  confirmed(): void {
    if (this.#current && !this.#dirty && this.#known) this.#knownNow();
  }

  /** Everything that the peer had to say is here. */
  synced(): void {
    this.#current = true;
    this.settle();
  }

  /** After an update: puts what was offered into force. */
  settle(): void {
    const own = this.words.states.get(this.#options.cluster);
    let changed = this.words.takeChanged();
    if (this.#current && own !== undefined && (this.#dirty || own.revision !== this.#revision || !this.#known)) {
      const differs = this.#dirty;
      if (differs) this.#settleAges();
      this.#keepDifferences();
      this.#held = new Map(this.#offered);
      this.#revision = own.revision;
      this.#known = true;
      this.#dirty = false;
      this.#told = undefined;
      this.#knownNow();
      if (differs) this.#publish();
      changed = true;
    }
    if (changed) this.#options.onChange();
  }

  /** The namespaces that the peer may bring have changed. */
  reconsider(): void {
    this.#publish();
    this.#options.onChange();
  }

  /** The peer is one no longer. */
  purge(): void {
    const { keep } = this.#options;
    for (const name of this.#held.keys()) this.#drop(name);
    keep({ kind: 'known', at: undefined });
    this.#knownAt = undefined;
    this.#held = new Map();
    this.#offered.clear();
    this.#known = false;
    this.#publish();
  }

  /** What is held here of the peer's; undefined: nothing is known. The same object for as long as it says the same. */
  holds(): HeldSet | undefined {
    if (!this.#known) return undefined;
    this.#told ??= this.#tell();
    return this.#told;
  }

  /** `words` are as of now. */
  get current(): boolean {
    return this.#current;
  }

  #knownNow(): void {
    const now = this.#options.now();
    this.#knownAt = now;
    if (now - this.#knownKept < keepKnownMs) return;
    this.#knownKept = now;
    this.#options.keep({ kind: 'known', at: now });
  }

  #settleAges(): void {
    for (const [name, each] of this.#offered) {
      const before = this.#held.get(name);
      // What came as it was before is the very same, with its age.
      if (before !== each) this.#offered.set(name, aged(each, boundedAge(each.claimed, this.#knownAt, before?.createdAt)));
    }
  }

  #keepDifferences(): void {
    const { keep } = this.#options;
    for (const name of this.#held.keys()) if (!this.#offered.has(name)) this.#drop(name);
    for (const [name, { version, bytes, claimed, createdAt }] of this.#offered) {
      const before = this.#held.get(name);
      if (before?.version === version && before.createdAt === createdAt) continue;
      keep({ kind: 'object', name, bytes });
      if (createdAt !== claimed || (before !== undefined && before.createdAt !== before.claimed))
        keep({ kind: 'age', name, at: createdAt === claimed ? undefined : createdAt });
    }
  }

  #drop(name: string): void {
    const { keep } = this.#options;
    keep({ kind: 'object', name, bytes: undefined });
    if (this.#held.get(name)?.createdAt !== this.#held.get(name)?.claimed) keep({ kind: 'age', name, at: undefined });
  }

  #tell(): HeldSet {
    const { cluster: owner } = this.#options;
    const refused: SharedState['refused'][number][] = [];
    const named = [...this.#held.values()].map((held) => {
      const made = this.#allowed(held);
      if (!made.ok) refused.push({ object: held.name, reason: made.violations.map(formatViolation).join('; ') });
      return encodeHeld({ owner, object: held.name, version: held.version, refused: !made.ok, createdAtMs: held.createdAt });
    });
    const versions = new Map([...this.#held.values()].map((held) => [held.name, held.version]));
    const hash = contentHash(this.#held.values());
    return { state: { owner, revision: this.#revision, hash, objects: this.#held.size, refused }, named, versions };
  }

  #publish(): void {
    const sources = new Map<string, Held[]>();
    this.#told = undefined;
    for (const held of this.#held.values()) {
      const list = sources.get(held.source) ?? [];
      sources.set(held.source, list);
      list.push(held);
    }
    for (const source of this.#published) {
      if (sources.has(source)) continue;
      this.#published.delete(source);
      this.#options.sink.removeSource(this.#ownerOf(source));
    }
    for (const [source, list] of sources) {
      this.#published.add(source);
      this.#options.sink.setSource(this.#sourceOf(source, list));
    }
  }

  #sourceOf(source: string, list: readonly Held[]): ObjectSource {
    const objects = new Map<string, OwnedObject>();
    const refused: { key: string; violations: readonly Violation[] }[] = [];
    for (const held of list) {
      const made = this.#allowed(held);
      if (made.ok) objects.set(held.key, made.value);
      else refused.push({ key: held.key, violations: made.violations });
    }
    return { owner: this.#ownerOf(source), objects, refused };
  }

  #allowed({ namespace, made }: Held): Checked<OwnedObject> {
    const namespaces = this.#options.namespaces();
    if (namespaces.includes('*') || namespaces.includes(namespace)) return made;
    return refuse('metadata.namespace', `${this.#options.cluster} may not bring objects of namespace ${namespace} here: see its Peer`);
  }

  #made(name: string, { source, key, namespace, createdAt, document }: ReceivedObject, bytes: Uint8Array): Held {
    const read = this.#options.parse({ file: describeKey(key), value: document, lineOf: () => 1 });
    const held = { name, version: objectVersion(bytes), bytes, source, key, namespace, claimed: createdAt, createdAt };
    if (!read.ok) return { ...held, made: read };
    const made = ownedObject(document, read.value, this.#ownerOf(source), createdAt);
    if (objectKey(refOf(document, read.value)) !== key) return { ...held, made: refuse('metadata.name', 'is not what it is shared as') };
    if (!isShared(made)) return { ...held, made: refuse('metadata.annotations', 'is not of scope mesh') };
    return { ...held, made: accept(made) };
  }

  #ownerOf(source: string): ObjectOwner {
    return { cluster: this.#options.cluster, source };
  }
}

function aged(held: Held, createdAt: number): Held {
  const { made } = held;
  if (held.createdAt === createdAt) return held;
  if (!made.ok) return { ...held, createdAt };
  const { document, object, owner } = made.value;
  return { ...held, createdAt, made: accept(ownedObject(document, object, owner, createdAt)) };
}

function refuse(path: string, message: string): Checked<OwnedObject> {
  return { ok: false, violations: [{ path, message }] };
}
