import type { MigrationReport, MigrationStatus } from '../../../core/admin/index.ts';
import type { MigrationState } from '../contract.ts';
import type { SampleRecord } from './contract.ts';

/** Of its newest run; what was sampled of another is left out. */
export function reportOf(state: MigrationState, status: MigrationStatus, kept: SampleRecord | undefined): MigrationReport {
  const { baseline } = state;
  const samples = kept?.run === state.run ? kept : undefined;
  return {
    status,
    baseline:
      baseline === undefined
        ? null
        : (({ requests, connections, errors, p50, p90, p99, inFlight }) => ({ requests, connections, errors, p50, p90, p99, inFlight }))(
            baseline,
          ),
    steps: state.steps.map(({ weight, begunAt, endedAt, outcome, from, to, gates }) => ({
      weight,
      begunAt: new Date(begunAt).toISOString(),
      endedAt: endedAt === undefined ? null : new Date(endedAt).toISOString(),
      outcome,
      from,
      to,
      gates: [...gates],
    })),
    samples: [...(samples?.samples ?? [])],
    events: [...state.events],
    callers: [...(samples?.callers ?? [])],
  };
}
