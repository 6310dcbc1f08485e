import type { ResourceRejection, SavedResource, XdsUpdate } from '../../core/xds/index.ts';
import type { StateView } from '../context.ts';
import { applyUpdate } from './reduce.ts';
import { type DataPlaneState, emptyState } from './types.ts';

/** Holds the newest good state, and tells who asks. */
export class StateStore implements StateView {
  #state: DataPlaneState = emptyState;
  readonly #listeners = new Set<() => void>();

  get current(): DataPlaneState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** For a delta client's `onUpdate`: applies what is good and returns what is refused. */
  apply(update: XdsUpdate): readonly ResourceRejection[] {
    const { state, rejections } = applyUpdate(this.#state, update);
    if (state !== this.#state) {
      this.#state = state;
      for (const listener of [...this.#listeners]) listener();
    }
    return rejections;
  }

  /** From disk, before the client starts. Returns what was taken: the rest must be asked for again. */
  restore(saved: readonly SavedResource[]): readonly SavedResource[] {
    const byType = new Map<string, SavedResource[]>();
    for (const resource of saved) {
      const known = byType.get(resource.typeUrl);
      if (known === undefined) byType.set(resource.typeUrl, [resource]);
      else known.push(resource);
    }
    const refused = new Set<SavedResource>();
    for (const [typeUrl, resources] of byType) {
      const changed = resources.map(({ name, version, value }) => ({ name, version, any: { typeUrl, value: Buffer.from(value) } }));
      const names = new Set(this.apply({ typeUrl, changed, removed: [] }).map((rejection) => rejection.name));
      for (const resource of resources) if (names.has(resource.name)) refused.add(resource);
    }
    return saved.filter((resource) => !refused.has(resource));
  }
}
