import type { MigrationStatus, SideStatus } from '../../../core/admin/index.ts';
import type { MigrationSide } from '../../../core/config/index.ts';
import type { MigrationState, Observation } from '../contract.ts';
import { figuresOf, trialsOf } from '../figures.ts';
import type { Window } from '../gates/index.ts';
import { specDigest } from './digest.ts';
import type { Live } from './live.ts';
import { isMemoryOf, windowsOf } from './memory.ts';
import { nextOf } from './next.ts';

const newestEvents = 50;

export function statusOf(state: MigrationState, live: Live): MigrationStatus {
  const { memory, observation } = live;
  const measured = memory !== undefined && observation !== undefined && isMemoryOf(memory, state);
  const window = measured ? windowsOf(memory, { observation, monotonic: live.monotonic }).step : undefined;
  const remainingMs = window === undefined ? (live.remainingMs ?? null) : remaining(state, window.elapsedMs);
  const { spec, paused, hold, rollback } = state;
  const digest = specDigest(spec);
  return {
    namespace: state.namespace,
    name: state.name,
    service: spec.service,
    phase: state.phase,
    run: state.run,
    from: sideStatus(state, 'from', window, observation),
    to: sideStatus(state, 'to', window, observation),
    step: state.step,
    steps: spec.steps.map((step, i) => ({ ...step, approved: state.approvals.some((approval) => approval.step === i) })),
    mirrorPercent: state.mirrorPercent,
    gates: [...live.gates],
    paused: paused === undefined ? null : { ...paused, at: time(paused.at) },
    hold: hold === undefined ? null : { reason: hold.reason, since: time(hold.at) },
    rollback: rollback === undefined ? null : { ...rollback, at: time(rollback.at) },
    remainingMs,
    next: nextOf(state, live, remainingMs),
    drain: [...(observation?.drain ?? state.drain)],
    nativeName: state.nativeName,
    startedAt: state.startedAt === undefined ? null : time(state.startedAt),
    endedAt: state.endedAt === undefined ? null : time(state.endedAt),
    events: state.events.slice(-newestEvents),
    specDigest: digest,
    specChanged: live.spec !== undefined && specDigest(live.spec) !== digest,
    leader: live.leader,
  };
}

function sideName({ cluster, registry }: MigrationSide, owner: string): string {
  return `${cluster === '' ? owner : cluster}/${registry}`;
}

function sideStatus(
  state: MigrationState,
  side: 'from' | 'to',
  window: Window | undefined,
  observation: Observation | undefined,
): SideStatus {
  const places = observation?.places[side];
  const both = window === undefined ? 0 : trialsOf(window.from) + trialsOf(window.to);
  const empty = { requests: 0, connections: 0, errors: 0, p50: null, p90: null, p99: null, inFlight: null };
  return {
    side: sideName(state.spec[side], state.cluster),
    state: places?.state ?? 'unknown',
    endpoints: places?.endpoints ?? 0,
    healthy: places?.healthy ?? 0,
    weight: side === 'to' ? state.weight : Math.round((100 - state.weight) * 10) / 10,
    measured: window === undefined || both === 0 ? null : (100 * trialsOf(window[side])) / both,
    ...(window === undefined ? empty : figuresOf(window[side], window.elapsedMs)),
  };
}

function remaining({ phase, step, spec }: MigrationState, elapsedMs: number): number | null {
  const lasts =
    phase === 'baseline'
      ? spec.baselineMs
      : phase === 'mirroring'
        ? spec.mirror?.bakeMs
        : phase === 'stepping'
          ? spec.steps[step]?.bakeMs
          : undefined;
  return lasts === undefined ? null : Math.max(0, lasts - elapsedMs);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
