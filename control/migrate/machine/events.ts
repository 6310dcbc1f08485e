import type { MigrationEvent } from '../../../core/admin/index.ts';
import type { MigrationState } from '../contract.ts';

const mostEvents = 500;
/** Who does what nobody asked for. */
export const itself = 'isthmus';

/** Unix ms and who, of what happens now. */
export interface Actor {
  readonly now: number;
  readonly by: string;
}

/** The state with one event more. The first stays, as it says who started; the oldest after it go. */
export function withEvent(state: MigrationState, type: string, message: string, { now, by }: Actor): MigrationState {
  const event: MigrationEvent = { at: new Date(now).toISOString(), type, by, message, weight: state.weight };
  const events = [...state.events, event];
  return { ...state, events: events.length > mostEvents ? events.toSpliced(1, events.length - mostEvents) : events };
}

/** Those that `after` has more than `before`. */
export function newEvents(before: MigrationState | undefined, after: MigrationState): readonly MigrationEvent[] {
  const old = new Set(before?.events ?? []);
  return after.events.filter((event) => !old.has(event));
}
