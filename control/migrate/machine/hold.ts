import type { HoldKind, MigrationState } from '../contract.ts';
import { type Actor, withEvent } from './events.ts';

const names = { begins: { freeze: 'frozen', rest: 'hold' }, ends: { freeze: 'unfrozen', rest: 'hold-over' } } as const;
const eventOf = (which: keyof typeof names, kind: HoldKind | undefined) => names[which][kind === 'freeze' ? 'freeze' : 'rest'];

/** Why it does not go on now; undefined: nothing holds it. What is the same as before is not told again. */
export function withHold(
  state: MigrationState,
  wanted: { readonly kind: HoldKind; readonly reason: string } | undefined,
  actor: Actor,
): MigrationState {
  const { hold, ...rest } = state;
  if (wanted === undefined) {
    return hold === undefined ? state : withEvent(rest, eventOf('ends', hold.kind), `over: ${hold.reason}`, actor);
  }
  if (hold?.kind === wanted.kind) return state;
  const before = hold === undefined || hold.kind !== 'freeze' ? rest : withEvent(rest, 'unfrozen', `over: ${hold.reason}`, actor);
  return withEvent(
    { ...before, hold: { kind: wanted.kind, reason: wanted.reason, at: actor.now } },
    eventOf('begins', wanted.kind),
    wanted.reason,
    actor,
  );
}
