import type { MigrationState } from '../contract.ts';
import { inForce, shiftOf } from '../machine/index.ts';

/** A TrafficShift as a document, with the stamp of the Migration that it is of. */
export interface ShiftDocument {
  readonly namespace: string;
  readonly name: string;
  /** Unix ms. */
  readonly createdAt: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/** What is in force of these states, one for each service, sorted. */
export function shiftDocuments(states: readonly MigrationState[]): readonly ShiftDocument[] {
  const shifts = inForce(states).flatMap((state): ShiftDocument[] => {
    const { namespace, name, createdAt } = state;
    const spec = shiftOf(state);
    if (spec === undefined) return [];
    const document = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace, name }, spec };
    return [{ namespace, name, createdAt, document }];
  });
  return shifts.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}
