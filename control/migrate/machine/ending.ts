import type { MigrationState } from '../contract.ts';
import { ms, some } from '../gates/index.ts';
import { withEvent } from './events.ts';
import { withHold } from './hold.ts';
import { sinceWhen } from './memory.ts';
import { unheld } from './stepping.ts';
import { end } from './transitions.ts';
import { backOrHold, breachOf, type Outcome, type Turn, withFreeze } from './turn.ts';

/**
 * All traffic is at the new side, and the old one comes to rest. A breach goes back as long as its drain time lasts: beyond it, parts of the old side may be
 * turned off, and only people know.
 */
export function drain(state: MigrationState, turn: Turn): Outcome {
  const breach = turn.elapsedMs <= state.spec.drain.timeoutMs ? breachOf(turn) : undefined;
  if (breach !== undefined) return backOrHold(state, 'breach', breach, turn);
  const { input, actor } = turn;
  const seen = withDrain(state, input.observation.drain);
  const { gone: left, memory } = lookWhetherGone(turn);
  // What its registry names no more is still looked at where somebody is connected.
  const gone = left && seen.drain.length === 0;
  const safe = seen.drain.length > 0 && seen.drain.every(({ verdict }) => verdict === 'safe');
  if (gone || safe) {
    const { current, stopped } = unheld(seen, turn);
    if (stopped) return { state: current, memory };
    // What left its registry may still be there, and be called: nobody has seen it safe.
    if (gone) return { state: end(current, 'done', 'the old side has no endpoint any more', actor), memory };
    const words = `all ${seen.drain.length} places of the old side are safe to turn off`;
    return { state: end(withEvent(current, 'safe', words, actor), 'done', words, actor), memory };
  }
  if (turn.elapsedMs <= state.spec.drain.timeoutMs) return { state: withFreeze(seen, turn), memory };
  const reason = `not all of the old side is safe after ${ms(state.spec.drain.timeoutMs)}: ${notSafe(seen)}`;
  return { state: withHold(seen, { kind: 'drain', reason }, actor), memory };
}

export function notSafe({ drain }: Pick<MigrationState, 'drain'>): string {
  const open = drain.filter(({ verdict }) => verdict !== 'safe');
  if (drain.length === 0) return 'nothing is known of it yet';
  return some(open.map(({ address, verdict, reason }) => `${address} is ${verdict} (${reason})`));
}

/** Written when a verdict changes: who calls what now is told by its leader, and not by the store. */
function withDrain(state: MigrationState, drain: MigrationState['drain'] | undefined): MigrationState {
  if (drain === undefined) return state;
  const verdicts = (of: MigrationState['drain']) =>
    of.map(({ instance, address, verdict }) => `${instance} ${address} ${verdict}`).join('\n');
  return verdicts(drain) === verdicts(state.drain) ? state : { ...state, drain };
}

/** Somebody among many callers may be lost at any time: the way back ends all the same, and says who was not reached. */
const missingMs = 60_000;

/** Back is where all have heard of it. */
export function comeBack(state: MigrationState, { input, actor, memory, elapsedMs }: Turn): Outcome {
  const { proxies, nativeName } = input.observation;
  // In the look that sent it back nobody can have heard of it.
  if (elapsedMs <= 0 || proxies.behind.length > 0 || nativeName === 'switched') return { state, memory };
  if (proxies.missing.length > 0 && elapsedMs < missingMs) return { state, memory };
  const lost = [...new Set([...proxies.silent, ...proxies.missing])];
  const unheard = lost.length === 0 ? '' : `, but for those that nothing was heard of: ${some(lost)}`;
  return { state: end(state, 'rolled-back', `all callers send to the old side again${unheard}`, actor), memory };
}

/**
 * Its shift stays until nothing is left on the old side that it keeps traffic from, and for the time that makes a place safe: a machine that only starts anew
 * comes back to what it had, which is nothing.
 */
export function release(state: MigrationState, turn: Turn): Outcome {
  const { gone, memory } = lookWhetherGone(turn, state.spec.drain.bakeMs);
  return { state: gone && state.released !== true ? { ...state, released: true } : state, memory };
}

/** No endpoint is left at the old side, and was not for `forMs`; looked at twice, as a registry may be caught in the act. */
function lookWhetherGone({ memory, input }: Turn, forMs = 0): { readonly gone: boolean; readonly memory: Outcome['memory'] } {
  const { from } = input.observation.places;
  const seen = sinceWhen(memory, 'emptySince', from.state === 'live' && from.endpoints === 0, input.monotonic);
  const lasted = seen.emptySince === undefined ? 0 : input.monotonic - seen.emptySince;
  return { gone: lasted > 0 && lasted >= forMs, memory: seen };
}
