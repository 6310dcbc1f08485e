import { type peering, peeringTypeUrls as urls } from '../../core/xds/index.ts';

/** Of one peer: a bound on what a broken one can make us hold. */
const mostNamed = 200_000;

/** What one peer says of the shared objects of every owner: its own, and those that it holds. */
export class PeerWords {
  /** By owner. */
  readonly #states = new Map<string, peering.ObjectsState>();
  /** By owner, then by SharedObject's name. */
  readonly #named = new Map<string, Map<string, peering.HeldObject>>();
  #count = 0;
  #changed = false;

  /** What it has of its own, and holds of others'. */
  get states(): ReadonlyMap<string, peering.ObjectsState> {
    return this.#states;
  }

  /** What it names of what it holds. Not every owner's is named to everybody. */
  get named(): ReadonlyMap<string, ReadonlyMap<string, peering.HeldObject>> {
    return this.#named;
  }

  told(state: peering.ObjectsState): void {
    this.#states.set(state.owner, state);
    this.#changed = true;
  }

  /** What is returned was not taken. */
  names(name: string, held: peering.HeldObject): readonly string[] {
    const of = this.#named.get(held.owner) ?? new Map<string, peering.HeldObject>();
    if (!of.has(held.object)) {
      if (this.#count >= mostNamed) return [`${name}: more than ${mostNamed} held objects of one peer`];
      this.#count += 1;
    }
    this.#named.set(held.owner, of.set(held.object, held));
    return [];
  }

  remove(typeUrl: string, name: string): void {
    if (typeUrl === urls.objectsState) this.#changed = this.#states.delete(name) || this.#changed;
    if (typeUrl !== urls.heldObject) return;
    const owner = name.slice(0, name.indexOf('/'));
    const of = this.#named.get(owner);
    if (of?.delete(name.slice(owner.length + 1)) !== true) return;
    this.#count -= 1;
    if (of.size === 0) this.#named.delete(owner);
  }

  /** The peer's exports have a new epoch: nothing from before counts. */
  clear(): void {
    this.#states.clear();
    this.#named.clear();
    this.#count = 0;
    this.#changed = true;
  }

  /** Whether the states have changed since this was last asked. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }
}
