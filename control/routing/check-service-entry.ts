import type { Finding } from './contract.ts';
import { type EntryObject, findingOf } from './objects.ts';

/** Public samples have addresses, so they are taken; that they do nothing is said. */
export function checkServiceEntry(entry: EntryObject): readonly Finding[] {
  if (entry.spec.addresses.length === 0) return [];
  const message = `nobody is reached by ${entry.spec.addresses.join(', ')}: agents capture no traffic; call the service by its mesh name`;
  return [findingOf(entry, { severity: 'warning', code: 'unsupported', path: 'spec.addresses', message })];
}
