import type { MigrationState } from '../contract.ts';
import { number } from '../gates/index.ts';
import { withEvent } from './events.ts';
import { withHold } from './hold.ts';
import { sinceWhen } from './memory.ts';
import { beginStep, inPhase, passStep } from './transitions.ts';
import { backOrHold, breachOf, frozen, judgeMissing, judgePartition, type Outcome, type Turn } from './turn.ts';

/** One step, looked at once: back, held, waiting, or at its end. It never goes on by more than one. */
export function step(state: MigrationState, turn: Turn): Outcome {
  if (state.step < 0) return beforeFirst(state, turn);
  const breach = breachOf(turn);
  if (breach !== undefined) return backOrHold(state, 'breach', breach, turn);
  const parted = judgePartition(state, turn);
  if (parted !== undefined) return parted;
  const dueAt = turn.memory.beganAt + (state.spec.steps[state.step]?.bakeMs ?? 0);
  const missing = missingIn(state, turn);
  if (missing !== undefined) return saidOnce(judgeMissing(state, missing, dueAt, turn), missing, dueAt, turn);
  const memory = sinceWhen(turn.memory, 'failingSince', false, 0);
  const { current, stopped } = unheld(state, turn);
  return stopped || turn.input.monotonic < dueAt ? { state: current, memory } : goOn(current, { ...turn, memory });
}

/** The baseline is measured, and the first step may not begin yet. */
function beforeFirst(state: MigrationState, turn: Turn): Outcome {
  const parted = judgePartition(state, turn);
  if (parted !== undefined) return parted;
  const { current, stopped } = unheld(state, turn);
  return stopped ? { state: current, memory: turn.memory } : goOn(current, turn);
}

/** The first gate that does not pass; undefined: all do, and what else was asked for is so. */
function missingIn(state: MigrationState, { gates, input }: Turn): string | undefined {
  const open = gates.find(({ verdict }) => verdict !== 'pass');
  if (open !== undefined) return `gate ${open.name}: ${open.reason}`;
  if (state.nativeName !== input.observation.nativeName)
    return `the native name is ${input.observation.nativeName}, and not yet ${state.nativeName}`;
  return undefined;
}

function saidOnce({ state, memory }: Outcome, missing: string, dueAt: number, { input, actor }: Turn): Outcome {
  if (input.monotonic < dueAt || memory.told.includes('gate-waits') || state.phase !== 'stepping') return { state, memory };
  const told = withEvent(state, 'gate-waits', `the step's time is over: ${missing}`, actor);
  return { state: told, memory: { ...memory, told: [...memory.told, 'gate-waits'] } };
}

/** Nothing that is measured holds it any more; whether people do, this one or all. */
export function unheld(state: MigrationState, { input, actor }: Turn): { readonly current: MigrationState; readonly stopped: boolean } {
  const { freeze, observation } = input;
  if (freeze !== undefined) return { current: withHold(state, frozen(freeze), actor), stopped: true };
  const still = state.hold?.kind === 'new-side' && observation.places.to.healthy === 0;
  return { current: still ? state : withHold(state, undefined, actor), stopped: state.paused !== undefined };
}

/** Past what is measured: to the next step, or, after the last, to draining. What comes next may have to be approved. */
export function goOn(state: MigrationState, turn: Turn): Outcome {
  const { actor, memory, measured } = turn;
  const next = state.spec.steps[state.step + 1];
  if (next === undefined) {
    const drained = withEvent(
      inPhase(passStep(state, measured, actor), 'draining', actor),
      'draining',
      'the old side gets nothing any more',
      actor,
    );
    return { state: drained, memory };
  }
  const nobody = nobodyThere(ready(state, turn), turn);
  if (nobody !== undefined) return nobody;
  if (next.approval && !state.approvals.some((approval) => approval.step === state.step + 1))
    return awaitApproval(ready(state, turn), turn);
  return { state: beginStep(state.step < 0 ? state : passStep(state, measured, actor), actor), memory };
}

/** Nothing could answer there: it gets nothing. */
export function nobodyThere(state: MigrationState, { input, actor, memory }: Turn): Outcome | undefined {
  const { to } = input.observation.places;
  if (to.healthy > 0) return undefined;
  const reason = `the new side has no healthy endpoint of ${to.endpoints}`;
  return { state: withHold(state, { kind: 'new-side', reason }, actor), memory };
}

/** What comes before the first step is over, though that cannot begin. */
function ready(state: MigrationState, { actor }: Turn): MigrationState {
  return state.phase === 'stepping' ? state : { ...inPhase(state, 'stepping', actor), mirrorPercent: 0 };
}

function awaitApproval(state: MigrationState, { memory, actor }: Turn): Outcome {
  if (memory.told.includes('approval')) return { state, memory };
  const weight = state.spec.steps[state.step + 1]?.weight ?? 0;
  const told = withEvent(state, 'gate-waits', `step ${state.step + 2} (${number(weight)} %) waits for somebody to approve it`, actor);
  return { state: told, memory: { ...memory, told: [...memory.told, 'approval'] } };
}
