import type { MigrationSpec } from '../../../core/config/index.ts';
import { accept, type Checked, reject } from '../../../core/validate.ts';
import type { MigrationCommand, MigrationState, SidePlaces } from '../contract.ts';
import { number, some } from '../gates/index.ts';
import { type Actor, withEvent } from './events.ts';
import { isRunning } from './phases.ts';
import { reserve } from './reserve.ts';
import { end, goBack, inPhase } from './transitions.ts';

/** What a command is judged by beside the state. */
export interface CommandContext {
  /** Unix ms. */
  readonly now: number;
  /** The object's, as it is now: what a start runs. */
  readonly spec: MigrationSpec;
  /** The old side of the spec that is pinned. */
  readonly from: SidePlaces;
}

type Of<T extends MigrationCommand['type']> = Extract<MigrationCommand, { type: T }>;
const refuse = (message: string): Checked<MigrationState> => reject([{ path: '', message }]);

/** The state after somebody asked for something, or why it cannot be. */
export function command(state: MigrationState, asked: MigrationCommand, context: CommandContext): Checked<MigrationState> {
  const actor = { now: context.now, by: asked.by };
  switch (asked.type) {
    case 'start':
      return start(state, context, actor);
    case 'pause':
      return pause(state, asked, actor);
    case 'resume':
      return resume(state, actor);
    case 'approve':
      return approve(state, asked, actor);
    case 'abort':
      return abort(state, actor);
    case 'rollback':
      return rollback(state, asked, context, actor);
    case 'finish':
      return finish(state, asked, actor);
  }
}

function start(state: MigrationState, { spec, now }: CommandContext, actor: Actor): Checked<MigrationState> {
  if (isRunning(state.phase)) return refuse(`it runs already, and is ${state.phase}`);
  if (state.phase === 'done' && sideText(spec.from) !== sideText(state.spec.to))
    return refuse(`it is done, and all traffic is at ${sideText(state.spec.to)}: a way back is a Migration from there`);
  if (state.phase === 'aborted' && state.weight > 0)
    return refuse(`it was aborted at ${number(state.weight)} %, and a start would move that at once: roll it back first`);
  const fresh = { ...reserve(spec, state, state.createdAt), ...(state.turn === undefined ? {} : { turn: state.turn }) };
  const run = state.run + 1;
  const waiting: MigrationState = { ...inPhase(fresh, 'waiting', actor), run, startedAt: now };
  const steps = spec.steps.map(({ weight }) => number(weight)).join(', ');
  return accept(withEvent(waiting, 'started', `run ${run}: ${sideText(spec.from)} to ${sideText(spec.to)} by ${steps} %`, actor));
}

function pause(state: MigrationState, { by, reason }: Of<'pause'>, actor: Actor): Checked<MigrationState> {
  if (!isRunning(state.phase) || state.phase === 'rolling-back') return refuse(`there is nothing to pause: it is ${state.phase}`);
  if (state.paused !== undefined) return refuse(`it is paused already, by ${state.paused.by}`);
  return accept(withEvent({ ...state, paused: { by, at: actor.now, reason } }, 'paused', reason, actor));
}

function resume(state: MigrationState, actor: Actor): Checked<MigrationState> {
  const { paused, ...rest } = state;
  if (paused === undefined) return refuse('it is not paused');
  return accept(withEvent(rest, 'resumed', `paused by ${paused.by} before`, actor));
}

function approve(state: MigrationState, { step, by }: Of<'approve'>, actor: Actor): Checked<MigrationState> {
  const wanted = state.spec.steps[step];
  if (!isRunning(state.phase) || state.phase === 'rolling-back' || state.phase === 'draining')
    return refuse(`no step can be approved: it is ${state.phase}`);
  if (wanted === undefined) return refuse(`there is no step ${step + 1}: it has ${state.spec.steps.length}`);
  if (!wanted.approval) return refuse(`step ${step + 1} needs no approval`);
  if (step <= state.step) return refuse(`step ${step + 1} has begun already`);
  const before = state.approvals.find((approval) => approval.step === step);
  if (before !== undefined) return refuse(`step ${step + 1} is approved already, by ${before.by}`);
  const approvals = [...state.approvals, { step, by, at: actor.now }];
  return accept(withEvent({ ...state, approvals }, 'approved', `step ${step + 1}: ${number(wanted.weight)} %`, actor));
}

function abort(state: MigrationState, actor: Actor): Checked<MigrationState> {
  if (!isRunning(state.phase)) return refuse(`there is nothing to abort: it is ${state.phase}`);
  if (state.phase === 'rolling-back') return refuse('it is going back, and ends by itself');
  return accept(
    end(state, 'aborted', `it ends where it stands: ${number(state.weight)} % at ${sideText(state.spec.to)}`, actor, 'aborted'),
  );
}

function rollback(state: MigrationState, { reason }: Of<'rollback'>, { from }: CommandContext, actor: Actor): Checked<MigrationState> {
  const { phase } = state;
  if (phase === 'reserved' || phase === 'rolled-back') return refuse(`there is nothing to roll back: it is ${phase}`);
  if (phase === 'rolling-back') return refuse('it is going back already');
  if (state.released === true || (state.weight > 0 && from.healthy === 0)) return refuse(noWayBack(state, from));
  return accept(goBack(state, { outcome: 'rolled-back', reason }, actor));
}

function finish(state: MigrationState, { reason }: Of<'finish'>, actor: Actor): Checked<MigrationState> {
  if (state.phase !== 'draining') return refuse(`only what drains can be finished: it is ${state.phase}`);
  const open = state.drain.filter(({ verdict }) => verdict !== 'safe').map(({ address, verdict }) => `${address} (${verdict})`);
  const left = open.length === 0 ? '' : `; not known to be safe: ${some(open, 10)}`;
  return accept(end(state, 'done', `${reason}${left}`, actor));
}

/** Why traffic cannot go back to the side that it came from. */
function noWayBack(state: MigrationState, { endpoints }: SidePlaces): string {
  const rest = endpoints === 0 ? 'has no endpoint any more' : `has no healthy endpoint of ${endpoints}`;
  return `the old side, ${sideText(state.spec.from)}, ${rest}: traffic that went back would fail`;
}

function sideText({ cluster, registry }: MigrationSpec['from']): string {
  return cluster === '' ? registry : `${cluster}/${registry}`;
}
