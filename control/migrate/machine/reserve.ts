import type { MigrationSpec } from '../../../core/config/index.ts';
import type { MigrationState } from '../contract.ts';

/** Applied and not started: the new side gets nothing, so that it can be deployed under the service's name. `now` in Unix ms. */
export function reserve(
  spec: MigrationSpec,
  of: { readonly namespace: string; readonly name: string; readonly cluster: string },
  now: number,
): MigrationState {
  return {
    version: 1,
    namespace: of.namespace,
    name: of.name,
    run: 0,
    spec,
    cluster: of.cluster,
    phase: 'reserved',
    step: -1,
    weight: 0,
    mirrorPercent: 0,
    createdAt: now,
    phaseAt: now,
    approvals: [],
    nativeName: spec.nativeName === undefined ? 'none' : 'original',
    drain: [],
    steps: [],
    events: [],
  };
}
