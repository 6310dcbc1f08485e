import { boundedAge } from './age-bound.ts';
import { aged, type Held } from './held-object.ts';
import type { InForce, Unconfirmed } from './in-force.ts';

/** Of one peer: a bound on what a broken one can make us hold. */
const mostObjects = 20_000;
const mostBytes = 64 * 1024 * 1024;

/** What a peer has said of its objects by one stream, or by that and those that it resumes; by SharedObject's name. */
export class OfferedObjects {
  readonly #objects = new Map<string, Held>();
  readonly #unconfirmed = new Map<string, Unconfirmed>();
  #bytes = 0;

  get objects(): ReadonlyMap<string, Held> {
    return this.#objects;
  }

  get unconfirmed(): ReadonlyMap<string, Unconfirmed> {
    return this.#unconfirmed;
  }

  clear(): void {
    this.#objects.clear();
    this.#unconfirmed.clear();
    this.#bytes = 0;
  }

  /** What is returned was not taken. */
  put(name: string, held: Held): readonly string[] {
    return this.#put(this.#objects, name, held, (each) => each.bytes.length);
  }

  putUnconfirmed(name: string, each: Unconfirmed): readonly string[] {
    return this.#put(this.#unconfirmed, name, each, sizeOf);
  }

  /** Whether it was there. */
  remove(name: string): boolean {
    const before = this.#objects.get(name);
    this.#bytes -= before?.bytes.length ?? 0;
    return this.#objects.delete(name);
  }

  removeUnconfirmed(name: string): boolean {
    const before = this.#unconfirmed.get(name);
    this.#bytes -= before === undefined ? 0 : sizeOf(before);
    return this.#unconfirmed.delete(name);
  }

  /** Whether there was any. */
  forgetUnconfirmed(): boolean {
    const names = [...this.#unconfirmed.keys()];
    for (const name of names) this.removeUnconfirmed(name);
    return names.length > 0;
  }

  /**
   * Gives what is new the age that it counts with, now that it is to be in the place of `before`, of which was known at `knownAt` that it was
   * all. What came as it was before is the very same, with its age, and so is what the peer goes back to.
   */
  settleAges({ held, waiting }: InForce, knownAt: number | undefined): void {
    const settled = (name: string, each: Held) =>
      each === held.get(name) || each === waiting.get(name)?.fallback
        ? each
        : aged(each, boundedAge(each.claimed, knownAt, held.get(name)?.createdAt));
    for (const [name, each] of this.#objects) this.#objects.set(name, settled(name, each));
    for (const [name, each] of this.#unconfirmed) {
      const fallback = each.fallback && settled(name, each.fallback);
      if (fallback !== each.fallback) this.#unconfirmed.set(name, { ...each, fallback });
    }
  }

  #put<T>(of: Map<string, T>, name: string, value: T, size: (value: T) => number): readonly string[] {
    const before = of.get(name);
    const bytes = this.#bytes + size(value) - (before === undefined ? 0 : size(before));
    if (before === undefined && of.size >= mostObjects) return [`more than ${mostObjects} objects of one peer`];
    if (bytes > mostBytes) return [`more than ${mostBytes} bytes of objects of one peer`];
    of.set(name, value);
    this.#bytes = bytes;
    return [];
  }
}

function sizeOf({ fallback }: Unconfirmed): number {
  return fallback?.bytes.length ?? 0;
}
