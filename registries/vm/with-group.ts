import type { WorkloadGroupSpec } from '../../core/config/index.ts';
import type { RegisteredWorkload } from './record.ts';

/** Where WorkloadGroups are looked up. */
export interface Groups {
  /** By NAMESPACE/NAME; undefined: there is none. */
  of(name: string): WorkloadGroupSpec | undefined;
  /** Called after any may have changed; returns what ends it. */
  subscribe(listener: () => void): () => void;
}

export const noGroups: Groups = { of: () => undefined, subscribe: () => () => undefined };

/** A workload as its endpoints show it. */
export interface GroupedWorkload extends RegisteredWorkload {
  /** Default 1. */
  readonly weight?: number;
}

/** Under what its agent says, what its group says; without the group, what the agent says alone. Pure. */
export function withGroup(workload: RegisteredWorkload, groups: Groups): GroupedWorkload {
  const group = workload.group === undefined ? undefined : groups.of(workload.group);
  if (group === undefined) return workload;
  const { labels, locality, weight } = group.template;
  return {
    ...workload,
    labels: { ...group.labels, ...labels, ...workload.labels },
    locality: workload.locality === '' ? locality : workload.locality,
    weight,
  };
}
