import type { MigrationState } from '../contract.ts';
import { ms, number, some } from '../gates/index.ts';
import { notSafe } from './ending.ts';
import type { Live } from './live.ts';

/** What happens next, in one sentence. */
export function nextOf(state: MigrationState, live: Live, remainingMs: number | null): string {
  const { phase, spec, paused, hold } = state;
  if (phase === 'reserved') return 'nothing, until it is started; the new side gets no traffic';
  if (state.released === true) return 'nothing: the old side is empty, or another migration has the service since';
  if (phase === 'done') return 'the old side can be turned off; it gets nothing as long as it is there';
  if (phase === 'rolled-back') return 'nothing, until it is started again or its Migration is deleted; the new side gets no traffic';
  if (phase === 'aborted')
    return `nothing: ${number(state.weight)} % stay at the new side until it is rolled back or its Migration is deleted`;
  if (phase === 'rolling-back') return comingBack(live);
  if (paused !== undefined) return `paused by ${paused.by}: it goes on when it is resumed; a breach would still roll it back`;
  if (hold?.kind === 'drain') return `held: ${hold.reason}; it is done once all of it is safe, or somebody who has looked finishes it`;
  if (hold !== undefined) return `held: ${hold.reason}; it goes on by itself when that is over`;
  const after = remainingMs === null || remainingMs <= 0 ? 'now' : `in ${ms(remainingMs)}`;
  switch (phase) {
    case 'waiting':
      return live.blockers.length === 0 ? 'the old side is measured' : `it starts once this is over: ${some(live.blockers)}`;
    case 'baseline':
      return `${after}: ${spec.mirror === undefined ? firstStep(state) : `${number(spec.mirror.percent)} % of requests are copied`}`;
    case 'mirroring':
      return `${after}: ${firstStep(state)}`;
    case 'stepping':
      return stepping(state, live, after);
    case 'draining':
      return `it is done once all of the old side is safe: ${notSafe(state)}`;
  }
}

function firstStep(state: MigrationState): string {
  return `the first step, ${number(state.spec.steps[0]?.weight ?? 0)} %`;
}

function stepping({ spec, step, approvals }: MigrationState, { gates }: Live, after: string): string {
  const next = spec.steps[step + 1];
  const open = step < 0 ? undefined : gates.find(({ verdict }) => verdict !== 'pass');
  const what = next === undefined ? 'the old side is drained' : `step ${step + 2} of ${spec.steps.length}, ${number(next.weight)} %`;
  const approval = next?.approval === true && !approvals.some((a) => a.step === step + 1) ? ', once somebody has approved it' : '';
  if (open !== undefined && after === 'now') return `${what}${approval}, when gate ${open.name} passes: ${open.reason}`;
  return `${after}: ${what}${approval}${step < 0 ? '' : ', if all gates pass'}`;
}

function comingBack({ observation }: Live): string {
  const { behind, missing } = observation?.proxies ?? { behind: [], missing: [] };
  const waited = [...behind, ...missing];
  if (waited.length > 0) return `it is back once these have heard of it: ${some(waited)}`;
  return observation?.nativeName === 'switched'
    ? 'it is back once the native name is the original again'
    : 'it is back when all have heard of it';
}
