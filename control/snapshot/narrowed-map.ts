import type { DialectResource } from './dialect.ts';

/** A map without what `visible` refuses, and with what is the client's own in place of what has the same name. Nothing is copied. */
export class NarrowedMap implements ReadonlyMap<string, DialectResource> {
  readonly #all: ReadonlyMap<string, DialectResource>;
  readonly #visible: (resource: DialectResource) => boolean;
  readonly #own: ReadonlyMap<string, DialectResource> | undefined;

  constructor(
    all: ReadonlyMap<string, DialectResource>,
    visible: (resource: DialectResource) => boolean,
    own: ReadonlyMap<string, DialectResource> | undefined,
  ) {
    this.#all = all;
    this.#visible = visible;
    this.#own = own;
  }

  /** Counts what is visible: as costly as going through all of it. */
  get size(): number {
    let size = 0;
    for (const _ of this.entries()) size += 1;
    return size;
  }

  get(name: string): DialectResource | undefined {
    const own = this.#own?.get(name);
    if (own !== undefined) return own;
    const resource = this.#all.get(name);
    return resource !== undefined && this.#visible(resource) ? resource : undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *entries(): MapIterator<[string, DialectResource]> {
    if (this.#own !== undefined) yield* this.#own.entries();
    for (const [name, resource] of this.#all) {
      if (this.#own?.has(name) !== true && this.#visible(resource)) yield [name, resource];
    }
  }

  *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): MapIterator<DialectResource> {
    for (const [, resource] of this.entries()) yield resource;
  }

  forEach(visit: (value: DialectResource, key: string, map: ReadonlyMap<string, DialectResource>) => void): void {
    for (const [name, resource] of this.entries()) visit(resource, name, this);
  }

  [Symbol.iterator](): MapIterator<[string, DialectResource]> {
    return this.entries();
  }
}
