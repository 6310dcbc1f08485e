import type { EncodedResource, ResourceSet, ResourceView } from '../../core/xds/index.ts';

type Listener = Parameters<ResourceView['subscribe']>[0];

/** The resources that this process itself makes for its Envoy; a type that was never set is not known yet, and not served as empty. */
export class LocalView implements ResourceView {
  #resources: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>> = new Map();
  readonly #listeners = new Set<Listener>();

  current(): ResourceSet {
    return this.#resources;
  }

  subscribe(listener: Listener): () => void {
    const entry: Listener = (changed) => listener(changed);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** Replaces all resources of one type; those of equal version are left as they are. */
  set(typeUrl: string, resources: readonly EncodedResource[]): void {
    const before = this.#resources.get(typeUrl);
    const after = new Map(resources.map((resource) => [resource.name, resource]));
    const names = new Set([...(before?.keys() ?? []), ...after.keys()]);
    const changed = [...names].filter((name) => before?.get(name)?.version !== after.get(name)?.version);
    if (before !== undefined && changed.length === 0) return;
    this.#resources = new Map(this.#resources).set(typeUrl, after);
    for (const listener of [...this.#listeners]) listener([{ typeUrl, names: changed }]);
  }
}
