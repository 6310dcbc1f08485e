import type { PolicyFinding } from '../policy/index.ts';
import type { SnapshotInputs } from './inputs.ts';

/** What of the objects in force does not come about as one would read it: of traffic, and of policies. Pure. */
export function findingsOf({ traffic, policies, view }: SnapshotInputs): readonly PolicyFinding[] {
  return [...traffic.findings, ...policies.flatMap((policy) => policy.findings?.(view) ?? [])];
}
