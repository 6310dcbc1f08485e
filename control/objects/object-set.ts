import type { ObjectKey, ObjectOwner, ObjectSource, ObjectView, OwnedObject } from './contract.ts';
import { ownerKey } from './ref.ts';

type Conflict = ObjectView['conflicts'][number];

const empty: ObjectView = { revision: 0, objects: new Map(), conflicts: [], refused: [] };

/**
 * The objects of all owners as one set. What a source replaces is looked at object by object: a change costs what differs, and what
 * does not differ is the same object in the next view. Nothing about the order in which sources came shows in a view, but its revision.
 */
export class ObjectSet {
  readonly #sources = new Map<string, ObjectSource>();
  readonly #conflicts = new Map<ObjectKey, Conflict>();
  readonly #listeners = new Set<(view: ObjectView) => void>();
  #view = empty;

  current(): ObjectView {
    return this.#view;
  }

  /** Called after each change with the new view; returns its undoing. */
  subscribe(listener: (view: ObjectView) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the owner said before is replaced as a whole. */
  setSource(source: ObjectSource): void {
    const id = ownerKey(source.owner);
    const before = this.#sources.get(id);
    this.#sources.set(id, source);
    this.#changed(before, source);
  }

  /** The owner is gone for good: a peer that was removed, a Registry that is no longer configured. */
  removeSource(owner: ObjectOwner): void {
    const id = ownerKey(owner);
    const before = this.#sources.get(id);
    if (before === undefined) return;
    this.#sources.delete(id);
    this.#changed(before, undefined);
  }

  /** The view that would be with this source in place of its owner's; nothing changes. */
  preview(source: ObjectSource): ObjectView {
    const other = new ObjectSet();
    for (const each of this.#sources.values()) other.setSource(each);
    other.setSource(source);
    return other.current();
  }

  /** What each source of one cluster said last; the same object until it says otherwise. */
  sourcesOf(cluster: string): readonly ObjectSource[] {
    return [...this.#sources.values()].filter((s) => s.owner.cluster === cluster);
  }

  /** Everybody who has this key, in force or not: the one that wins first. */
  holders(key: ObjectKey): readonly OwnedObject[] {
    const all = [...this.#sources.values()].flatMap((s) => s.objects.get(key) ?? []);
    return all.sort(byAge);
  }

  #changed(before: ObjectSource | undefined, after: ObjectSource | undefined): void {
    const keys = differing(before, after);
    const sameRefused = JSON.stringify(before?.refused ?? []) === JSON.stringify(after?.refused ?? []);
    // Confirmed: nothing is another object, and yet peers are to know.
    if (keys.size === 0 && sameRefused && before?.tentative?.revision === after?.tentative?.revision) return;
    const objects = new Map(this.#view.objects);
    for (const key of keys) this.#decide(key, objects);
    this.#view = {
      revision: this.#view.revision + 1,
      objects,
      conflicts: [...this.#conflicts.values()].sort((a, b) => compare(a.key, b.key)),
      refused: sameRefused ? this.#view.refused : this.#allRefused(),
    };
    for (const listener of [...this.#listeners]) listener(this.#view);
  }

  #decide(key: ObjectKey, objects: Map<ObjectKey, OwnedObject>): void {
    const [winner, ...losers] = this.holders(key);
    if (winner === undefined) objects.delete(key);
    else objects.set(key, winner);
    if (winner === undefined || losers.length === 0) this.#conflicts.delete(key);
    else this.#conflicts.set(key, { key, winner: winner.owner, losers: losers.map((o) => o.owner) });
  }

  #allRefused(): ObjectView['refused'] {
    const all = [...this.#sources.values()].flatMap(({ owner, refused = [] }) => refused.map((r) => ({ ...r, owner })));
    return all.sort((a, b) => compare(a.key, b.key) || compare(ownerKey(a.owner), ownerKey(b.owner)));
  }
}

function differing(before: ObjectSource | undefined, after: ObjectSource | undefined): Set<ObjectKey> {
  const keys = new Set<ObjectKey>();
  for (const [key, object] of before?.objects ?? []) if (after?.objects.get(key) !== object) keys.add(key);
  for (const [key, object] of after?.objects ?? []) if (before?.objects.get(key) !== object) keys.add(key);
  return keys;
}

/** The oldest first; then by cluster, then by source. */
function byAge(a: OwnedObject, b: OwnedObject): number {
  return a.createdAt - b.createdAt || compare(a.owner.cluster, b.owner.cluster) || compare(a.owner.source, b.owner.source);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
