const bucketCount = 256;
type Bucket<K, V> = ReadonlyMap<K, V>;

/**
 * An immutable map with text keys whose next version shares all that did not change: a change copies one bucket in 256, and
 * the difference of two versions looks only at buckets that differ.
 */
export class PersistentMap<K extends string, V> implements ReadonlyMap<K, V> {
  readonly size: number;
  readonly #buckets: readonly (Bucket<K, V> | undefined)[];

  private constructor(buckets: readonly (Bucket<K, V> | undefined)[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  static empty<K extends string, V>(): PersistentMap<K, V> {
    return new PersistentMap<K, V>(new Array<undefined>(bucketCount).fill(undefined), 0);
  }

  static from<K extends string, V>(entries: Iterable<readonly [K, V]>): PersistentMap<K, V> {
    return PersistentMap.empty<K, V>().with(entries);
  }

  get(key: K): V | undefined {
    return this.#buckets[bucketOf(key)]?.get(key);
  }

  has(key: K): boolean {
    return this.#buckets[bucketOf(key)]?.has(key) ?? false;
  }

  /** The next version; undefined removes. Returns this map itself when nothing differs by `===`. */
  with(changes: Iterable<readonly [K, V | undefined]>): PersistentMap<K, V> {
    let buckets: (Bucket<K, V> | undefined)[] | undefined;
    const copied = new Map<number, Map<K, V>>();
    let size = this.size;
    for (const [key, value] of changes) {
      const index = bucketOf(key);
      const now = copied.get(index) ?? this.#buckets[index];
      const had = now?.has(key) ?? false;
      if (value === undefined ? !had : had && now?.get(key) === value) continue;
      let own = copied.get(index);
      if (own === undefined) {
        own = new Map(now);
        copied.set(index, own);
        buckets ??= [...this.#buckets];
        buckets[index] = own;
      }
      if (value === undefined) {
        own.delete(key);
        size -= 1;
      } else {
        own.set(key, value);
        if (!had) size += 1;
      }
    }
    return buckets === undefined ? this : new PersistentMap(buckets, size);
  }

  /** Keys whose values are not the same object in `other`, those only one of them has included. */
  changedKeys(other: PersistentMap<K, V>): Set<K> {
    const changed = new Set<K>();
    for (let i = 0; i < bucketCount; i += 1) {
      const a = this.#buckets[i];
      const b = other.#buckets[i];
      if (a === b) continue;
      for (const [key, value] of a ?? []) if (b?.get(key) !== value) changed.add(key);
      for (const key of b?.keys() ?? []) if (a?.has(key) !== true) changed.add(key);
    }
    return changed;
  }

  *entries(): MapIterator<[K, V]> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.entries();
  }

  *keys(): MapIterator<K> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.keys();
  }

  *values(): MapIterator<V> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.values();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }
}

/** FNV-1a, 32 bits, folded to a bucket. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (bucketCount - 1);
}
