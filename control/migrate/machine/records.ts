import type { GateStatus } from '../../../core/admin/index.ts';
import type { MigrationState, StepRecord } from '../contract.ts';
import { figuresOf } from '../figures.ts';
import type { Window } from '../gates/index.ts';

const none = { requests: 0, connections: 0, errors: 0, p50: null, p90: null, p99: null, inFlight: null } as const;

export function newRecord(weight: number, begunAt: number): StepRecord {
  return { weight, begunAt, outcome: 'running', from: none, to: none, gates: [] };
}

/** What was measured of a step, where somebody measured it. */
export interface Measured {
  readonly step: Window;
  readonly gates: readonly GateStatus[];
}

/** The step that runs ends so. Without figures where who ends it has none: its leader adds them. */
export function endRecord(
  steps: readonly StepRecord[],
  outcome: StepRecord['outcome'],
  endedAt: number,
  measured: Measured | undefined,
): readonly StepRecord[] {
  const last = steps.at(-1);
  if (last === undefined || last.outcome !== 'running') return steps;
  return [...steps.slice(0, -1), { ...last, outcome, endedAt, ...(measured === undefined ? {} : figures(measured)) }];
}

/** Adds what its leader measured to a step that somebody else has ended. */
export function completeRecord(state: MigrationState, measured: Measured): MigrationState {
  const last = state.steps.at(-1);
  if (last === undefined || last.outcome === 'running' || last.gates.length > 0 || measured.gates.length === 0) return state;
  return { ...state, steps: [...state.steps.slice(0, -1), { ...last, ...figures(measured) }] };
}

function figures({ step, gates }: Measured): Pick<StepRecord, 'from' | 'to' | 'gates'> {
  return { from: figuresOf(step.from, step.elapsedMs), to: figuresOf(step.to, step.elapsedMs), gates };
}
