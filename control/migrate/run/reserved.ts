import type { MigrationState } from '../contract.ts';
import { reserve } from '../machine/index.ts';
import type { MigrationObject } from './contract.ts';

/** The first state of a Migration; `id` is NAMESPACE/NAME. */
export function reservedOf(id: string, { spec, createdAt }: MigrationObject, cluster: string): MigrationState {
  const [namespace = '', name = ''] = id.split('/');
  return reserve(spec, { namespace, name, cluster }, createdAt);
}

/** The states that there are, and of Migrations that nobody has written one of yet, the first: those are reserved from the moment that they are applied. */
export function withReserved(
  states: ReadonlyMap<string, MigrationState>,
  objects: ReadonlyMap<string, MigrationObject | undefined>,
  cluster: string,
): readonly MigrationState[] {
  const fresh = [...objects].flatMap(([id, object]) => (object === undefined || states.has(id) ? [] : [reservedOf(id, object, cluster)]));
  return [...states.values(), ...fresh];
}
