import { networkId } from '../../core/model/index.ts';
import type { ChangedNames, EncodedResource, ResourceSet, ResourceSource, ResourceView } from '../../core/xds/index.ts';
import type { PersistentMap } from '../catalog/index.ts';
import { encodeNative, nativeTypeUrlOf } from './encode-native.ts';
import type { SnapshotBuilder } from './inputs.ts';
import type { ClientClass, Resource, ResourceKind, Snapshot } from './ir.ts';
import { resourceKinds } from './ir.ts';

/** Serves what a SnapshotBuilder makes in the native dialect. `publish` says that the builder was updated. */
export class NativeResources implements ResourceSource {
  readonly #builder: SnapshotBuilder;
  /** Those with subscribers: a class that nobody listens to is neither kept nor built. */
  readonly #active = new Map<string, NativeView>();
  #ready = false;

  constructor(builder: SnapshotBuilder) {
    this.#builder = builder;
  }

  view(client: { readonly kind: 'agent' | 'gateway'; readonly network: string }): ResourceView {
    const id = `${client.kind} ${client.network}`;
    const known = this.#active.get(id);
    if (known !== undefined) return known;
    const wanted: ClientClass = { kind: client.kind, network: networkId(client.network) };
    const take = () => (this.#ready ? this.#builder.snapshot(wanted) : undefined);
    const view: NativeView = new NativeView(take, (active) => {
      if (active) this.#active.set(id, view);
      else if (this.#active.get(id) === view) this.#active.delete(id);
    });
    return view;
  }

  /** After each `builder.update`. Before the first one, views have nothing: unknown is never served as empty. */
  publish(): void {
    this.#ready = true;
    for (const view of [...this.#active.values()]) view.refresh();
  }
}

class NativeView implements ResourceView {
  readonly #take: () => Snapshot | undefined;
  readonly #onActive: (active: boolean) => void;
  readonly #listeners = new Set<(changed?: readonly ChangedNames[]) => void>();
  #snapshot: Snapshot | undefined;
  #set: ResourceSet | undefined;

  constructor(take: () => Snapshot | undefined, onActive: (active: boolean) => void) {
    this.#take = take;
    this.#onActive = onActive;
  }

  current(): ResourceSet | undefined {
    // While somebody listens, what they see changes only in refresh(), so that they are told of each change.
    if (this.#snapshot === undefined || this.#listeners.size === 0) this.#read();
    return this.#set;
  }

  subscribe(listener: (changed?: readonly ChangedNames[]) => void): () => void {
    const entry = (changed?: readonly ChangedNames[]) => listener(changed);
    if (this.#listeners.size === 0) this.#read();
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) this.#onActive(true);
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#onActive(false);
    };
  }

  refresh(): void {
    const before = this.#snapshot;
    this.#read();
    if (before === this.#snapshot) return;
    const changed = before === undefined || this.#snapshot === undefined ? undefined : changedNames(before, this.#snapshot);
    if (changed?.length === 0) return;
    for (const listener of [...this.#listeners]) listener(changed);
  }

  #read(): void {
    const snapshot = this.#take();
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    this.#set =
      snapshot === undefined ? undefined : new Map(resourceKinds.map((k) => [nativeTypeUrlOf[k], new EncodedMap(snapshot.resources[k])]));
  }
}

function changedNames(before: Snapshot, after: Snapshot): ChangedNames[] {
  return resourceKinds.flatMap((kind) => {
    const names = mapOf(after, kind).changedKeys(mapOf(before, kind));
    return names.size === 0 ? [] : [{ typeUrl: nativeTypeUrlOf[kind], names: [...names] }];
  });
}

function mapOf(snapshot: Snapshot, kind: ResourceKind): PersistentMap<string, Resource> {
  return snapshot.resources[kind] as PersistentMap<string, Resource>;
}

/** A map of resources seen as bytes: each is encoded when somebody first asks for it, and then kept with the resource. */
class EncodedMap implements ReadonlyMap<string, EncodedResource> {
  readonly #resources: ReadonlyMap<string, Resource>;

  constructor(resources: ReadonlyMap<string, Resource>) {
    this.#resources = resources;
  }

  get size(): number {
    return this.#resources.size;
  }

  get(name: string): EncodedResource | undefined {
    const resource = this.#resources.get(name);
    return resource === undefined ? undefined : encodeNative(resource);
  }

  has(name: string): boolean {
    return this.#resources.has(name);
  }

  keys(): MapIterator<string> {
    return this.#resources.keys();
  }

  *values(): MapIterator<EncodedResource> {
    for (const resource of this.#resources.values()) yield encodeNative(resource);
  }

  *entries(): MapIterator<[string, EncodedResource]> {
    for (const [name, resource] of this.#resources) yield [name, encodeNative(resource)];
  }

  forEach(visit: (value: EncodedResource, key: string, map: ReadonlyMap<string, EncodedResource>) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this);
  }

  [Symbol.iterator](): MapIterator<[string, EncodedResource]> {
    return this.entries();
  }
}
