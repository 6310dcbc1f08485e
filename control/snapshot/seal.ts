import { createHash } from 'node:crypto';
import type { IrOf, Resource, ResourceKind } from './ir.ts';

/** Hashes the content: builders make fields in one fixed order and sort what has none, so equal content gives equal text. */
export function seal<K extends ResourceKind>(kind: K, name: string, value: IrOf[K]): Resource<K> {
  return { kind, name, version: versionOf(kind, name, value), value };
}

/**
 * For what is large: the value is let go of once it was encoded, and made again by `make`, which is pure, when somebody asks
 * later. Whoever reads it soon after gets the one that the version was made from.
 */
export function sealAgain<K extends ResourceKind>(kind: K, name: string, make: () => IrOf[K]): Resource<K> {
  return new Remade(kind, name, make);
}

/** A class, as literals with a getter each have a shape of their own, which is several times as large as what they hold. */
class Remade<K extends ResourceKind> implements Resource<K> {
  readonly kind: K;
  readonly name: string;
  readonly version: string;
  readonly #make: () => IrOf[K];
  #kept: WeakRef<IrOf[K]>;

  constructor(kind: K, name: string, make: () => IrOf[K]) {
    const first = make();
    this.kind = kind;
    this.name = name;
    this.version = versionOf(kind, name, first);
    this.#make = make;
    this.#kept = new WeakRef(first);
  }

  get value(): IrOf[K] {
    const known = this.#kept.deref();
    if (known !== undefined) return known;
    const again = this.#make();
    this.#kept = new WeakRef(again);
    return again;
  }
}

function versionOf<K extends ResourceKind>(kind: K, name: string, value: IrOf[K]): string {
  return createHash('sha256').update(`${kind}\n${name}\n`).update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

/** A hash of many versions that does not depend on their order and can be changed one at a time (exclusive or). */
export class SetHash {
  #bits = 0n;

  toggle(version: string): void {
    this.#bits ^= BigInt(`0x${version}`);
  }

  get text(): string {
    return this.#bits.toString(16).padStart(32, '0');
  }
}
