import { createHash } from 'node:crypto';
import type { IrOf, Resource, ResourceKind } from './ir.ts';

/** Hashes the content: builders make fields in one fixed order and sort what has none, so equal content gives equal text. */
export function seal<K extends ResourceKind>(kind: K, name: string, value: IrOf[K]): Resource<K> {
  const version = createHash('sha256').update(`${kind}\n${name}\n`).update(JSON.stringify(value)).digest('hex').slice(0, 32);
  return { kind, name, version, value };
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
