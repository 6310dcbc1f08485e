import type { Conflict } from '../../core/admin/index.ts';
import { formatViolation } from '../../core/validate.ts';
import { describeKey, type ObjectOwner, type ObjectView } from '../objects/index.ts';

/** Pure: what of several owners' objects is not in force, and why. */
export function objectConflicts(view: ObjectView): readonly Conflict[] {
  const several = view.conflicts.map(({ key, winner, losers }): Conflict => {
    const message = `${nameOf(winner)} has the oldest, which is in force; not in force: ${losers.map(nameOf).join(', ')}`;
    return { kind: 'ObjectConflict', subject: describeKey(key), message };
  });
  const refused = view.refused.map(({ key, owner, violations }): Conflict => {
    const message = `of ${nameOf(owner)}, cannot be used here: ${violations.map(formatViolation).join('; ')}`;
    return { kind: 'ObjectRefused', subject: describeKey(key), message };
  });
  return [...several, ...refused];
}

function nameOf({ cluster, source }: ObjectOwner): string {
  return `${source} in cluster ${cluster}`;
}
