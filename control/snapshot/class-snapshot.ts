import type { ServiceKey } from '../../core/model/index.ts';
import { PersistentMap } from '../catalog/index.ts';
import type { ClientClass, Resource, ResourceKind, Snapshot } from './ir.ts';
import { resourceKinds } from './ir.ts';
import { SetHash } from './seal.ts';

type Maps = { [K in ResourceKind]: PersistentMap<string, Resource<K>> };

/** The resources of one client class, owner by owner (a service, or what is global), and the snapshots made of them. */
export class ClassSnapshot {
  readonly client: ClientClass;
  #byOwner = PersistentMap.empty<string, readonly Resource[]>();
  readonly #hash = new SetHash();
  #maps: Maps;
  #snapshot: Snapshot | undefined;

  constructor(client: ClientClass) {
    this.client = client;
    const empty = Object.fromEntries(resourceKinds.map((kind) => [kind, PersistentMap.empty()]));
    this.#maps = empty as unknown as Maps;
  }

  owners(): Iterable<string> {
    return this.#byOwner.keys();
  }

  of(owner: ServiceKey | string): readonly Resource[] {
    return this.#byOwner.get(owner) ?? [];
  }

  /** Replaces what each owner contributes, all at once; an empty list removes it. Unchanged resources stay the same objects. */
  replace(changes: ReadonlyMap<string, readonly Resource[]>): void {
    const edits = Object.fromEntries(resourceKinds.map((kind) => [kind, new Map()])) as Record<
      ResourceKind,
      Map<string, Resource | undefined>
    >;
    // All removals first: a name may move from one owner to another in one change.
    for (const owner of changes.keys()) {
      for (const r of this.of(owner)) {
        this.#hash.toggle(r.version);
        edits[r.kind].set(r.name, undefined);
      }
    }
    const owned = new Map<string, readonly Resource[] | undefined>();
    for (const [owner, next] of changes) {
      const before = this.of(owner);
      const known = new Map(before.map((r) => [`${r.kind} ${r.name}`, r]));
      const kept = next.map((r) => {
        const old = known.get(`${r.kind} ${r.name}`);
        return old?.version === r.version ? old : r;
      });
      for (const r of kept) {
        this.#hash.toggle(r.version);
        edits[r.kind].set(r.name, r);
      }
      const same = kept.length === before.length && kept.every((r, i) => r === before[i]);
      if (!same) owned.set(owner, kept.length === 0 ? undefined : kept);
    }
    this.#byOwner = this.#byOwner.with(owned);
    this.#maps = Object.fromEntries(
      resourceKinds.map((kind) => [kind, (this.#maps[kind] as PersistentMap<string, Resource>).with(edits[kind])]),
    ) as unknown as Maps;
    this.#snapshot = undefined;
  }

  snapshot(): Snapshot {
    this.#snapshot ??= { client: this.client, version: this.#hash.text, owners: this.#byOwner, resources: this.#maps };
    return this.#snapshot;
  }
}
