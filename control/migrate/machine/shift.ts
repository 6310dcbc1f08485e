import type { TrafficShiftSpec } from '../../../core/config/index.ts';
import type { MigrationState } from '../contract.ts';
import { isRunning } from './phases.ts';

/** How traffic is shared while this state stands; undefined: it is done, and nothing is left on the old side. */
export function shiftOf({ phase, released, spec, cluster, weight, mirrorPercent }: MigrationState): TrafficShiftSpec | undefined {
  if (phase === 'done' && released === true) return undefined;
  const owned = (side: TrafficShiftSpec['from']) => (side.cluster === '' ? { ...side, cluster } : side);
  return { service: spec.service, from: owned(spec.from), to: owned(spec.to), weight, mirrorPercent };
}

/**
 * One state for each service, of those that have one (of one namespace's migrations several may be of the same service): the one that runs; else the newest that
 * moves no traffic by taking the place of the one before it.
 */
export function inForce(states: readonly MigrationState[]): readonly MigrationState[] {
  const chosen = new Map<string, MigrationState>();
  for (const state of [...states].sort((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1))) {
    const service = `${state.namespace}/${state.spec.service}`;
    const before = chosen.get(service);
    if (before === undefined || mayReplace(before, state)) chosen.set(service, state);
  }
  return [...chosen.values()];
}

/** Whether the second may stand for the service in place of the first. */
export function mayReplace(before: MigrationState, state: MigrationState): boolean {
  if (isRunning(before.phase)) return false;
  if (isRunning(state.phase) || shiftOf(before) === undefined) return true;
  const side = where(before);
  return side !== undefined && side === where(state);
}

/** Where all traffic is; undefined: at both sides. */
function where(state: MigrationState): string | undefined {
  const { spec, cluster, weight } = state;
  const side = weight === 0 ? spec.from : weight === 100 ? spec.to : undefined;
  return side === undefined ? undefined : `${side.cluster || cluster}/${side.registry}`;
}
