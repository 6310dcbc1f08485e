import type { TrafficShiftSpec } from '../../../core/config/index.ts';
import type { MigrationState } from '../contract.ts';
import { isEnd, isRunning } from './phases.ts';

/** How traffic is shared while this state stands; undefined: it is over, and no weight of it is needed. */
export function shiftOf({ phase, released, spec, cluster, weight, mirrorPercent }: MigrationState): TrafficShiftSpec | undefined {
  if (isEnd(phase) && released === true) return undefined;
  const owned = (side: TrafficShiftSpec['from']) => (side.cluster === '' ? { ...side, cluster } : side);
  return { service: spec.service, from: owned(spec.from), to: owned(spec.to), weight, mirrorPercent };
}

/**
 * One state for each service, of those that have one (of one namespace's migrations several may be of the same service): the one whose turn came last; of
 * those that had none yet, the newest that moves no traffic by taking the place of the one before it. No clock decides who follows whom.
 */
export function inForce(states: readonly MigrationState[]): readonly MigrationState[] {
  const chosen = new Map<string, MigrationState>();
  for (const state of [...states].sort(byTurn)) {
    const service = `${state.namespace}/${state.spec.service}`;
    const before = chosen.get(service);
    if (before === undefined || turnOf(state) > 0 || mayFollow(before, state)) chosen.set(service, state);
  }
  return [...chosen.values()];
}

/** Nobody asked for it yet: where the old side was turned off, one that would send everything there again takes no place. */
function mayFollow(before: MigrationState, state: MigrationState): boolean {
  return turnOf(before) > 0 && shiftOf(before) === undefined ? where(before) === where(state) : mayReplace(before, state);
}

/** Whether the second may stand for the service in place of the first. */
export function mayReplace(before: MigrationState, state: MigrationState): boolean {
  if (isRunning(before.phase)) return false;
  if (moves(state) || shiftOf(before) === undefined) return true;
  const side = where(before);
  return side !== undefined && side === where(state);
}

/** Another of these had the service after it: what it ended with is no more. */
export function isSuperseded(state: MigrationState, all: readonly MigrationState[]): boolean {
  return isEnd(state.phase) && ofSameService(state, all).some((other) => turnOf(other) > turnOf(state));
}

/** One that is done moved the service on from where this one left it. One that went back did not, and this one may have to stand again. */
export function isReplaced(state: MigrationState, all: readonly MigrationState[]): boolean {
  return isSuperseded(
    state,
    all.filter(({ phase }) => phase === 'done'),
  );
}

/** For one that begins now. */
export function nextTurn(state: MigrationState, all: readonly MigrationState[]): number {
  return 1 + Math.max(0, ...[state, ...ofSameService(state, all)].map(({ turn = 0 }) => turn));
}

/** All others of its service. */
export function ofSameService({ namespace, name, spec }: MigrationState, all: readonly MigrationState[]): readonly MigrationState[] {
  return all.filter((other) => other.namespace === namespace && other.name !== name && other.spec.service === spec.service);
}

/** Those that had none come last, as they have to ask for the place. */
function byTurn(a: MigrationState, b: MigrationState): number {
  const [first, second] = [turnOf(a) || Number.POSITIVE_INFINITY, turnOf(b) || Number.POSITIVE_INFINITY];
  if (first !== second) return first < second ? -1 : 1;
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1);
}

function turnOf(state: MigrationState): number {
  return state.turn ?? (moves(state) ? Number.MAX_SAFE_INTEGER : 0);
}

/** What only waits moves nothing. */
function moves({ phase }: MigrationState): boolean {
  return isRunning(phase) && phase !== 'waiting';
}

/** Where all traffic is; undefined: at both sides. */
function where(state: MigrationState): string | undefined {
  const { spec, cluster, weight } = state;
  const side = weight === 0 ? spec.from : weight === 100 ? spec.to : undefined;
  return side === undefined ? undefined : `${side.cluster || cluster}/${side.registry}`;
}
