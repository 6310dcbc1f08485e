import type { GateStatus } from '../../../core/admin/index.ts';
import type { HoldKind, MigrationState, Observation } from '../contract.ts';
import { trialsOf } from '../figures.ts';
import { evaluateGates, type GateView, isExternal, ms, type Window } from '../gates/index.ts';
import type { Actor } from './events.ts';
import { itself } from './events.ts';
import { withHold } from './hold.ts';
import { lookedAgain, type Memory, sinceWhen, windowsOf } from './memory.ts';
import type { Measured } from './records.ts';
import { goBack } from './transitions.ts';

/** What one look is made of. */
export interface AdvanceInput {
  readonly observation: Observation;
  /** Unix ms, for people. */
  readonly now: number;
  /** ms of the leader's clock, by which all is timed. */
  readonly monotonic: number;
  /** As the last look of this leader left it; undefined: this is its first. */
  readonly memory?: Memory;
  /** This replica, for people. */
  readonly replica: string;
  /** Somebody stopped all. */
  readonly freeze?: { readonly by: string; readonly reason: string };
  /** Why it may not start yet: what it depends on, how many run already. */
  readonly blockers: readonly string[];
  /** What it gets when it begins. */
  readonly turn: number;
}

/** One look at a state, by the handler of its phase. */
export interface Turn {
  readonly input: AdvanceInput;
  readonly actor: Actor;
  /** After this look. */
  readonly memory: Memory;
  readonly interval: Window;
  readonly measured: Measured;
  readonly gates: readonly GateStatus[];
  readonly elapsedMs: number;
}

/** What became of the state, with what is remembered of it while it stays in its phase and step. */
export interface Outcome {
  readonly state: MigrationState;
  readonly memory: Memory;
}

export function takeTurn(state: MigrationState, memory: Memory, input: AdvanceInput): Turn {
  const { interval, step } = windowsOf(memory, input);
  const { places } = input.observation;
  const parted = places.from.state !== 'live' || places.to.state !== 'live';
  const looked = sinceWhen(lookedAgain(memory, interval, input), 'partitionSince', parted, input.monotonic);
  const gates = judgedIn(state, step, evaluateGates(state.spec.gates, viewOf(state, looked, { interval, step }, input)));
  const actor = { now: input.now, by: itself };
  const now = { ...looked, gates };
  return { input, actor, memory: now, interval, measured: { step, gates }, gates, elapsedMs: input.monotonic - memory.beganAt };
}

/** Before anything is sent to the new side there is nothing to judge, which is not the same as data that are missing. */
function judgedIn({ phase, step }: MigrationState, window: Window, gates: readonly GateStatus[]): readonly GateStatus[] {
  const later = (reason: string) => (gate: GateStatus) => ({ ...gate, verdict: 'wait' as const, reason });
  if (phase === 'mirroring') {
    const copies = later('copies are no requests, and nobody counts them: it is judged from the first step on');
    return trialsOf(window.to) > 0 ? gates : gates.map((gate) => (isExternal(gate) ? gate : copies(gate)));
  }
  return phase === 'draining' || (phase === 'stepping' && step >= 0) ? gates : gates.map(later('it is judged from the first step on'));
}

function viewOf(state: MigrationState, memory: Memory, windows: { interval: Window; step: Window }, input: AdvanceInput): GateView {
  const { places, proxies, external } = input.observation;
  const { confidence, intervalMs } = state.spec;
  return {
    confidence,
    intervalMs,
    weight: state.weight,
    ...windows,
    ...(memory.roseAt === undefined ? {} : { quietMs: input.monotonic - memory.roseAt }),
    ...(state.baseline === undefined ? {} : { baseline: state.baseline }),
    places,
    proxies,
    external,
  };
}

/** Back at once, or, where the old side would only fail, held with that as the reason. */
export function backOrHold(state: MigrationState, outcome: 'breach' | 'rolled-back', reason: string, turn: Turn): Outcome {
  const { places } = turn.input.observation;
  if (state.weight > 0 && places.from.healthy === 0) {
    const held = `${reason}; but the old side has no healthy endpoint of ${places.from.endpoints} to go back to`;
    return { state: withHold(state, { kind: 'old-side', reason: held }, turn.actor), memory: turn.memory };
  }
  return { state: goBack(state, { outcome, reason, measured: turn.measured }, turn.actor), memory: turn.memory };
}

/** What a breach says: the first gate of those, or that nothing answers on the new side. */
export function breachOf({ gates, input }: Turn): string | undefined {
  const broken = gates.find(({ verdict }) => verdict === 'breach');
  if (broken !== undefined) return `gate ${broken.name}: ${broken.reason}`;
  const { to } = input.observation.places;
  return to.state === 'live' && to.healthy === 0 ? `the new side has no healthy endpoint of ${to.endpoints}` : undefined;
}

/** The sides cannot be seen: nothing rises, and after a while the object's rule holds. Undefined: they can. */
export function judgePartition(state: MigrationState, turn: Turn): Outcome | undefined {
  const { memory, input, actor } = turn;
  if (memory.partitionSince === undefined) return undefined;
  const { from, to } = input.observation.places;
  const lost = from.state === 'live' ? `the new side's registry is ${to.state}` : `the old side's registry is ${from.state}`;
  const lasted = input.monotonic - memory.partitionSince;
  const { action, afterMs } = state.spec.onPartition;
  if (lasted <= afterMs) return { state: withFreeze(state, turn), memory };
  const rule = { kind: 'partition', action, reason: `${lost}, for longer than ${ms(afterMs)}` } as const;
  return overdue(state, rule, turn) ?? { state: withHold(state, rule, actor), memory };
}

export function frozen({ by, reason }: NonNullable<AdvanceInput['freeze']>): { readonly kind: 'freeze'; readonly reason: string } {
  return { kind: 'freeze', reason: `frozen by ${by}: ${reason}` };
}

/** Says that it is frozen, or is no more, while other things may hold it as well, which stand. */
export function withFreeze(state: MigrationState, { input: { freeze }, actor }: Turn): MigrationState {
  if (state.hold !== undefined && state.hold.kind !== 'freeze') return state;
  return withHold(state, freeze === undefined ? undefined : frozen(freeze), actor);
}

/** Goes back where that is the rule; a pause stays where it was put, and only a breach ends it. Undefined: it is to be held. */
function overdue(
  state: MigrationState,
  rule: { readonly kind: HoldKind; readonly action: 'hold' | 'rollback'; readonly reason: string },
  turn: Turn,
): Outcome | undefined {
  if (rule.action !== 'rollback' || state.paused !== undefined) return undefined;
  return backOrHold(state, 'rolled-back', rule.reason, turn);
}

/**
 * It could go on but for what is not known: it waits, says so once, and after a while the object's rule holds. `dueAt`: monotonic ms from which on it could
 * have gone on.
 */
export function judgeMissing(state: MigrationState, missing: string, dueAt: number, turn: Turn): Outcome {
  const { input, actor } = turn;
  const memory = sinceWhen(turn.memory, 'failingSince', true, input.monotonic);
  const since = Math.max(dueAt, memory.failingSince ?? input.monotonic);
  const { action, afterMs } = state.spec.onNoData;
  if (input.monotonic - since <= afterMs) return { state: withFreeze(state, turn), memory };
  const reason = `not enough was known for longer than ${ms(afterMs)}: ${missing}`;
  const rule = { kind: 'no-data', action, reason } as const;
  return overdue(state, rule, { ...turn, memory }) ?? { state: withHold(state, rule, actor), memory };
}
