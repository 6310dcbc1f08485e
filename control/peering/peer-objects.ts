import type { ClusterId } from '../../core/model/index.ts';
import { accept, type Checked, formatViolation, type Violation } from '../../core/validate.ts';
import { type peering, peeringTypeUrls as urls } from '../../core/xds/index.ts';
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
import type { PeerObjectsSink } from './contract.ts';
import type { ReceivedObject } from './decode-objects.ts';
import { decodePeerResource } from './decode-peering.ts';
import { contentHash, isShared, objectVersion, type SharedState } from './shared-objects.ts';

/** Of one peer: a bound on what a broken one can make us hold. */
const mostObjects = 20_000;
const mostBytes = 64 * 1024 * 1024;

export interface PeerObjectsOptions {
  readonly cluster: ClusterId;
  readonly sink: PeerObjectsSink;
  readonly parse: ParseDocument;
  /** Namespaces (PeerSpec) that the peer may bring; `*`: all. Asked for at each change. */
  readonly namespaces: () => readonly string[];
  /** To be kept over restarts; undefined: gone. */
  readonly keep: (name: string, bytes: Uint8Array | undefined) => void;
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
  /** By owner: what the peer holds of it, or of its own, has. */
  readonly #states = new Map<string, peering.ObjectsState>();
  /** The peer's last word on its own, as of what is held. */
  #revision = 0;
  #state: SharedState | undefined;
  #known = false;
  #current = false;
  #dirty = false;
  #statesChanged = false;

  constructor(options: PeerObjectsOptions) {
    this.#options = options;
  }

  /** What an earlier process kept; before the first stream. What cannot be read any more is left out. */
  restore(kept: ReadonlyMap<string, Uint8Array>): void {
    const held = new Map<string, Held>();
    for (const [name, bytes] of kept) {
      const decoded = decodePeerResource(urls.sharedObject, name, bytes);
      if (decoded.ok && decoded.value.kind === 'object') held.set(name, this.#made(name, decoded.value.value, bytes));
    }
    this.#held = held;
    this.#known = kept.size > 0;
    this.#publish();
  }

  opened(fresh: boolean): void {
    this.#current = false;
    if (!fresh) return;
    this.#offered.clear();
    this.#offeredBytes = 0;
    this.#states.clear();
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
    if (typeUrl === urls.objectsState) this.#statesChanged = this.#states.delete(name) || this.#statesChanged;
    const before = typeUrl === urls.sharedObject ? this.#offered.get(name) : undefined;
    if (before === undefined) return;
    this.#offered.delete(name);
    this.#offeredBytes -= before.bytes.length;
    this.#dirty = true;
  }

  /** What the peer says of an owner's objects. */
  told(state: peering.ObjectsState): void {
    this.#states.set(state.owner, state);
    this.#statesChanged = true;
  }

  /** Everything that the peer had to say is here. */
  synced(): void {
    this.#current = true;
    this.settle();
  }

  /** After an update: puts what was offered into force. */
  settle(): void {
    const own = this.#states.get(this.#options.cluster);
    if (this.#current && own !== undefined && (this.#dirty || own.revision !== this.#revision || !this.#known)) {
      for (const name of this.#held.keys()) if (!this.#offered.has(name)) this.#options.keep(name, undefined);
      for (const [name, { version, bytes }] of this.#offered)
        if (this.#held.get(name)?.version !== version) this.#options.keep(name, bytes);
      const changed = this.#dirty;
      this.#held = new Map(this.#offered);
      this.#revision = own.revision;
      this.#known = true;
      this.#dirty = false;
      if (changed) this.#publish();
      this.#statesChanged = true;
    }
    if (!this.#statesChanged) return;
    this.#statesChanged = false;
    this.#options.onChange();
  }

  /** The namespaces that the peer may bring have changed. */
  reconsider(): void {
    this.#publish();
    this.#options.onChange();
  }

  /** The peer is one no longer. */
  purge(): void {
    for (const name of this.#held.keys()) this.#options.keep(name, undefined);
    this.#held = new Map();
    this.#offered.clear();
    this.#known = false;
    this.#publish();
  }

  /** What is held here of the peer's; undefined: nothing is known. */
  state(): SharedState | undefined {
    if (!this.#known) return undefined;
    if (this.#state?.revision === this.#revision) return this.#state;
    const refused = [...this.#held.values()].flatMap((h) => {
      const made = this.#allowed(h);
      return made.ok ? [] : [{ object: h.name, reason: made.violations.map(formatViolation).join('; ') }];
    });
    const hash = contentHash(this.#held.values());
    this.#state = { owner: this.#options.cluster, revision: this.#revision, hash, objects: this.#held.size, refused };
    return this.#state;
  }

  /** What the peer says: of its own, and of what it holds of others'. `current`: as of now. */
  says(): { readonly current: boolean; readonly states: ReadonlyMap<string, peering.ObjectsState> } {
    return { current: this.#current, states: this.#states };
  }

  #publish(): void {
    const sources = new Map<string, Held[]>();
    this.#state = undefined;
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
    const held = { name, version: objectVersion(bytes), bytes, source, key, namespace };
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

function refuse(path: string, message: string): Checked<OwnedObject> {
  return { ok: false, violations: [{ path, message }] };
}
