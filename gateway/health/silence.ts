/**
 * Whether a machine is still there, judged from what is heard of it. A machine that vanishes (its link is cut, it loses power) says
 * neither FIN nor RST, and TCP takes minutes to notice. But it stops sending on all of its connections at once, and does not
 * answer a new one; a slow application does one or the other. Pure: times are monotonic ms.
 */
export interface SilenceState {
  /** `asked`: a probe is under way. `lost`: it was not reached, and is probed until it has been for a while. */
  readonly phase: 'sound' | 'asked' | 'lost';
  /** Something is waited for, and no byte has come on any connection since then; Infinity: neither. */
  readonly silentSince: number;
  /** No probe before. */
  readonly probeAt: number;
  /** From one probe to the next, while nothing changes. */
  readonly pauseMs: number;
  /** `lost`: a probe is under way. */
  readonly probing: boolean;
  /** `lost`: probes that reached it, in a row, and how many it takes to return. */
  readonly reached: number;
  readonly needed: number;
  readonly returnedAt: number;
}

export interface SilenceLimits {
  /** From the last byte, or the first thing waited for, to a probe. */
  readonly silentMs: number;
  /** To the next probe of one that was reached and is still silent; doubles up to ten times that. */
  readonly pauseMs: number;
  /** Between probes of one that is lost; grows by half up to ten times that while it is not reached. */
  readonly recoverMs: number;
  /** Probes in a row that bring it back; twice as many after each relapse within `relapseMs`, up to eight times. */
  readonly neededProbes: number;
  readonly relapseMs: number;
}

export const defaultSilenceLimits: SilenceLimits = {
  silentMs: 250,
  pauseMs: 1_000,
  recoverMs: 500,
  neededProbes: 3,
  relapseMs: 30_000,
};

export type SilenceEvent =
  /** `heard`: bytes came since the last look. `waiting`: for an answer or a connection. `stalledMs`: of the time since the last look we ourselves stood still. */
  | { readonly kind: 'looked'; readonly now: number; readonly heard: boolean; readonly waiting: boolean; readonly stalledMs: number }
  /** `refused`: somebody answered, but took no connection. */
  | { readonly kind: 'probed'; readonly now: number; readonly result: 'open' | 'refused' | 'nothing' };

/** What is to be done: probe it; give it up, with all of its connections; or use it again. */
export type SilenceEffect = 'none' | 'probe' | 'lost' | 'returned';

export type SilenceStep = readonly [state: SilenceState, effect: SilenceEffect];

export function initialSilence(limits: SilenceLimits): SilenceState {
  return {
    phase: 'sound',
    silentSince: Number.POSITIVE_INFINITY,
    probeAt: 0,
    pauseMs: limits.pauseMs,
    probing: false,
    reached: 0,
    needed: limits.neededProbes,
    returnedAt: Number.NEGATIVE_INFINITY,
  };
}

export function stepSilence(state: SilenceState, event: SilenceEvent, limits: SilenceLimits): SilenceStep {
  if (event.kind === 'looked') return state.phase === 'lost' ? lookedWhileLost(state, event.now) : looked(state, event, limits);
  if (state.phase === 'lost') return probedWhileLost(state, event, limits);
  return state.phase === 'asked' ? probed(state, event, limits) : [state, 'none'];
}

type Looked = Extract<SilenceEvent, { kind: 'looked' }>;
type Probed = Extract<SilenceEvent, { kind: 'probed' }>;

function looked(state: SilenceState, { now, heard, waiting, stalledMs }: Looked, limits: SilenceLimits): SilenceStep {
  if (heard || !waiting) {
    const silentSince = waiting ? now : Number.POSITIVE_INFINITY;
    if (state.phase === 'sound' && state.silentSince === silentSince && state.pauseMs === limits.pauseMs) return [state, 'none'];
    // Only what was heard ends a probe's pause: one that says nothing for hours is not probed at each of its requests.
    const pause = heard ? { pauseMs: limits.pauseMs, probeAt: 0 } : {};
    return [{ ...state, phase: 'sound', silentSince, ...pause }, 'none'];
  }
  // While we stood still bytes may have come that nobody has read.
  const silentSince = Math.min(now, Math.min(state.silentSince, now) + stalledMs);
  const due = state.phase === 'sound' && now - silentSince >= limits.silentMs && now >= state.probeAt;
  return [{ ...state, silentSince, phase: due ? 'asked' : state.phase }, due ? 'probe' : 'none'];
}

function probed(state: SilenceState, { now, result }: Probed, limits: SilenceLimits): SilenceStep {
  if (result !== 'nothing') {
    const pauseMs = Math.min(state.pauseMs * 2, limits.pauseMs * 10);
    return [{ ...state, phase: 'sound', pauseMs, probeAt: now + state.pauseMs }, 'none'];
  }
  const relapse = now - state.returnedAt < limits.relapseMs;
  const needed = relapse ? Math.min(state.needed * 2, limits.neededProbes * 8) : limits.neededProbes;
  const rest = { silentSince: Number.POSITIVE_INFINITY, probing: false, reached: 0 };
  return [{ ...state, ...rest, phase: 'lost', needed, pauseMs: limits.recoverMs, probeAt: now + limits.recoverMs }, 'lost'];
}

function lookedWhileLost(state: SilenceState, now: number): SilenceStep {
  return state.probing || now < state.probeAt ? [state, 'none'] : [{ ...state, probing: true }, 'probe'];
}

function probedWhileLost(state: SilenceState, { now, result }: Probed, limits: SilenceLimits): SilenceStep {
  if (!state.probing) return [state, 'none'];
  if (result !== 'open') {
    const pauseMs = Math.min(state.pauseMs * 1.5, limits.recoverMs * 10);
    return [{ ...state, probing: false, reached: 0, pauseMs, probeAt: now + pauseMs }, 'none'];
  }
  const reached = state.reached + 1;
  if (reached < state.needed) return [{ ...state, probing: false, reached, probeAt: now + limits.recoverMs }, 'none'];
  return [{ ...initialSilence(limits), needed: state.needed, returnedAt: now }, 'returned'];
}
