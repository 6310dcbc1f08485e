import type { MigrationState } from '../contract.ts';
import { inForce, reserve, shiftOf } from '../machine/index.ts';
import type { MigrationObject } from './contract.ts';

/** A TrafficShift as a document, with the stamp of the Migration that it is of. */
export interface ShiftDocument {
  readonly namespace: string;
  readonly name: string;
  /** Unix ms. */
  readonly createdAt: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/**
 * What is in force, one for each service, sorted. A Migration that nobody has written a state of yet is reserved all the same: its new side gets nothing
 * from the moment that it is applied, whoever leads.
 */
export function shiftDocuments(
  states: readonly MigrationState[],
  objects: ReadonlyMap<string, MigrationObject>,
  cluster: string,
): readonly ShiftDocument[] {
  const known = new Set(states.map(({ namespace, name }) => `${namespace}/${name}`));
  const fresh = [...objects].flatMap(([id, { spec, createdAt }]) => {
    const [namespace = '', name = ''] = id.split('/');
    return known.has(id) ? [] : [reserve(spec, { namespace, name, cluster }, createdAt)];
  });
  const shifts = inForce([...states, ...fresh]).flatMap((state): ShiftDocument[] => {
    const { namespace, name, createdAt } = state;
    const spec = shiftOf(state);
    if (spec === undefined) return [];
    const document = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace, name }, spec };
    return [{ namespace, name, createdAt, document }];
  });
  return shifts.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}
