import type { ClusterId } from '../../core/model/index.ts';
import { type Checked, formatViolation, type Violation } from '../../core/validate.ts';
import type { ObjectOwner, ObjectSource, OwnedObject } from '../objects/index.ts';
import type { PeerObjectsSink } from './contract.ts';
import { type Held, refuse } from './held-object.ts';
import { contentHash, encodeHeld, type HeldSet, type SharedState } from './shared-objects.ts';

export interface PublishedObjectsOptions {
  readonly cluster: ClusterId;
  readonly sink: PeerObjectsSink;
  /** Namespaces (PeerSpec) that the peer may bring; `*`: all. Asked for at each change. */
  readonly namespaces: () => readonly string[];
}

/** A peer's objects as sources of objects here, and in words for others; what it may not bring is refused in both. */
export class PublishedObjects {
  readonly #options: PublishedObjectsOptions;
  readonly #published = new Set<string>();

  constructor(options: PublishedObjectsOptions) {
    this.#options = options;
  }

  /** In the place of all that was published before. */
  publish(all: Iterable<Held>): void {
    const sources = new Map<string, Held[]>();
    for (const held of all) {
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

  /** `revision`: the peer's last word on its own. */
  describe(all: ReadonlyMap<string, Held>, revision: number): HeldSet {
    const { cluster: owner } = this.#options;
    const refused: SharedState['refused'][number][] = [];
    const named = [...all.values()].map((held) => {
      const made = this.#allowed(held);
      if (!made.ok) refused.push({ object: held.name, reason: made.violations.map(formatViolation).join('; ') });
      return encodeHeld({ owner, object: held.name, version: held.version, refused: !made.ok, createdAtMs: held.createdAt });
    });
    const versions = new Map([...all.values()].map((held) => [held.name, held.version]));
    return { state: { owner, revision, hash: contentHash(all.values()), objects: all.size, refused }, named, versions };
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

  #ownerOf(source: string): ObjectOwner {
    return { cluster: this.#options.cluster, source };
  }
}
