import type { MigrationPhase } from '../../../core/admin/index.ts';
import type { MigrationState, StepRecord } from '../contract.ts';
import { number } from '../gates/index.ts';
import { type Actor, withEvent } from './events.ts';
import { endRecord, type Measured, newRecord } from './records.ts';

export function inPhase(state: MigrationState, phase: MigrationPhase, { now }: Actor): MigrationState {
  return { ...state, phase, phaseAt: now };
}

/** Weight 0 at once, copies and the native name with it: one state, and so one write. */
export function goBack(
  state: MigrationState,
  why: { readonly outcome: 'breach' | 'rolled-back'; readonly reason: string; readonly measured?: Measured },
  actor: Actor,
): MigrationState {
  const { hold: _, paused: _paused, endedAt: _ended, ...rest } = state;
  const { outcome, reason, measured } = why;
  const told = outcome === 'breach' ? withEvent(rest, 'breach', reason, actor) : rest;
  const back: MigrationState = {
    ...inPhase(told, 'rolling-back', actor),
    weight: 0,
    mirrorPercent: 0,
    rollback: { reason, at: actor.now, fromWeight: state.weight },
    nativeName: state.nativeName === 'switched' ? 'original' : state.nativeName,
    steps: endRecord(state.steps, outcome, actor.now, measured),
  };
  const begun = withEvent(back, 'rollback-begun', `from ${number(state.weight)} % to 0: ${reason}`, actor);
  return state.nativeName === 'switched' ? withEvent(begun, 'native-name-restored', 'its original instances answer again', actor) : begun;
}

/** The weight of the next step. Whether it may begin was asked before. */
export function beginStep(state: MigrationState, actor: Actor): MigrationState {
  const index = state.step + 1;
  const weight = state.spec.steps[index]?.weight ?? state.weight;
  const stepping = state.phase === 'stepping' ? state : inPhase(state, 'stepping', actor);
  const begun: MigrationState = {
    ...stepping,
    step: index,
    weight,
    mirrorPercent: 0,
    steps: [...state.steps, newRecord(weight, actor.now)],
  };
  const told = withEvent(begun, 'step-begun', `step ${index + 1} of ${state.spec.steps.length}: ${number(weight)} %`, actor);
  const { nativeName } = state.spec;
  if (nativeName === undefined || state.nativeName !== 'original' || weight < nativeName.atWeight) return told;
  const message = `gateways answer under the native name in ${nativeName.registry}`;
  return withEvent({ ...told, nativeName: 'switched' }, 'native-name-switched', message, actor);
}

/** The step that runs is over. */
export function passStep(state: MigrationState, measured: Measured, actor: Actor): MigrationState {
  const steps = endRecord(state.steps, 'passed', actor.now, measured);
  const gates = measured.gates.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  return withEvent({ ...state, steps }, 'step-passed', `step ${state.step + 1} at ${number(state.weight)} %: ${gates}`, actor);
}

/** An end, of which nothing follows. */
export function end(
  state: MigrationState,
  phase: 'done' | 'rolled-back' | 'aborted',
  message: string,
  actor: Actor,
  outcome?: StepRecord['outcome'],
): MigrationState {
  const { hold: _, paused: _paused, ...rest } = inPhase(state, phase, actor);
  const steps = outcome === undefined ? state.steps : endRecord(state.steps, outcome, actor.now, undefined);
  return withEvent({ ...rest, steps, mirrorPercent: 0, endedAt: actor.now }, phase, message, actor);
}
