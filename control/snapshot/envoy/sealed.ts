import { createHash } from 'node:crypto';
import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type DialectResource, lazyResource } from '../dialect.ts';

/** Raised when equal inputs give other bytes than before: clients that resume by version would keep the old ones. */
const form = 4;

/** A resource whose version is a hash of what it is made from, so that nothing is encoded to learn that nothing changed. */
export function sealed<T>(
  typeUrl: string,
  type: { encode(message: T): BinaryWriter },
  name: string,
  inputs: readonly unknown[],
  make: () => T,
): DialectResource {
  const version = createHash('sha256').update(`${form} ${typeUrl} ${name}\n`).update(JSON.stringify(inputs)).digest('hex').slice(0, 32);
  return lazyResource(typeUrl, name, version, () => type.encode(make()).finish());
}
