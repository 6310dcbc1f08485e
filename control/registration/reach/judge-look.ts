import type { Reach, ReachState } from '../../../registries/vm/index.ts';

/** What one look found. */
export interface Look {
  readonly state: ReachState;
  readonly reason: string;
  /** `IP:PORT` */
  readonly place: string;
}

/** Looks in a row that must say so before a proof no longer stands: one that was lost says little. */
const strikesOut: Readonly<Record<Exclude<ReachState, 'proven'>, number>> = { unknown: 3, refused: 2, other: 2 };

/**
 * The verdict after one more look; `before` itself when nothing is new. A proof is taken at once and given up by several looks in a row. What
 * was trusted stays so while nobody answers, or nobody can be asked: only somebody else at that address ends it. What has never been
 * proven is trusted where this control plane has no way to ask, because then the word of whoever made the token is all there is. Pure.
 */
export function judgeLook(before: Reach | undefined, look: Look, now: number): Reach {
  const { state, reason, place } = look;
  const known = before?.place === place ? before : undefined;
  if (known === undefined) return { state, reason, at: now, place, trusted: state === 'proven' || state === 'unknown', strikes: 0 };
  if (known.state === state) return known.strikes === 0 && known.reason === reason ? known : { ...known, reason, strikes: 0 };
  if (state === 'proven') return { state, reason, at: now, place, trusted: true, strikes: 0 };
  const strikes = known.strikes + 1;
  if (known.state === 'proven' && strikes < strikesOut[state]) return { ...known, strikes };
  return { state, reason, at: now, place, trusted: state === 'other' ? false : known.trusted, strikes: 0 };
}
