/** What a Kubernetes API server keeps: objects by collection, one version counter, and a history for watches. */

export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export type StoredObject = ApiObject & { readonly metadata: { readonly resourceVersion: string; readonly uid: string } };

export interface StorageEvent {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly collection: string;
  readonly object: StoredObject;
  readonly before?: StoredObject;
}

export class FakeStorage {
  version = 100;
  /** Watches from before this version are refused with 410. */
  compactedAt = 0;
  readonly history: StorageEvent[] = [];
  readonly #collections = new Map<string, Map<string, StoredObject>>();
  readonly #listeners = new Set<(event: StorageEvent) => void>();
  #uids = 0;

  list(collection: string): StoredObject[] {
    return [...(this.#collections.get(collection)?.values() ?? [])].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  get(collection: string, namespace: string, name: string): StoredObject | undefined {
    return this.#collections.get(collection)?.get(`${namespace}/${name}`);
  }

  /** Creates or replaces. */
  put(collection: string, object: ApiObject): StoredObject {
    const objects = this.#collections.get(collection) ?? new Map<string, StoredObject>();
    this.#collections.set(collection, objects);
    const before = objects.get(keyOf(object));
    this.version += 1;
    const metadata = {
      creationTimestamp: '2026-01-02T03:04:05Z',
      ...object.metadata,
      ...(before === undefined ? {} : { creationTimestamp: before.metadata['creationTimestamp'] }),
      uid: before?.metadata.uid ?? `uid-${++this.#uids}`,
      resourceVersion: String(this.version),
    };
    const stored: StoredObject = { ...object, metadata };
    objects.set(keyOf(stored), stored);
    this.#record({ version: this.version, type: before ? 'MODIFIED' : 'ADDED', collection, object: stored, ...(before ? { before } : {}) });
    return stored;
  }

  delete(collection: string, namespace: string, name: string): StoredObject | undefined {
    const before = this.get(collection, namespace, name);
    if (before === undefined) return undefined;
    this.#collections.get(collection)?.delete(`${namespace}/${name}`);
    this.version += 1;
    const object: StoredObject = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.version) } };
    this.#record({ version: this.version, type: 'DELETED', collection, object, before });
    return before;
  }

  clear(): void {
    this.#collections.clear();
    this.history.length = 0;
    this.version = 1;
    this.compactedAt = 0;
  }

  onChange(listener: (event: StorageEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #record(event: StorageEvent): void {
    this.history.push(event);
    for (const listener of this.#listeners) listener(event);
  }
}

/** `key`, `key=value`, comma-separated. */
export function matchesSelector(object: ApiObject, selector: string): boolean {
  return selector
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [key = '', value] = term.split('=');
      const label = object.metadata.labels?.[key];
      return value === undefined ? label !== undefined : label === value;
    });
}

function keyOf(object: ApiObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
