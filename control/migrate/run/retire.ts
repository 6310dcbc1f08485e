import type { MigrationState, SidePlaces } from '../contract.ts';
import { command, isRunning, mayReplace } from '../machine/index.ts';

/**
 * What becomes of a state whose Migration was deleted: it goes back first where it runs, or its native name is another; what is done keeps traffic
 * from the old side as long as that is there, or until another migration of the service takes its place.
 */
export function retire(
  state: MigrationState,
  all: readonly MigrationState[],
  { now, from }: { readonly now: number; readonly from: SidePlaces },
): MigrationState | 'remove' | 'stays' {
  const { phase } = state;
  if (phase === 'rolling-back') return 'stays';
  if (isRunning(phase) || (phase === 'aborted' && state.nativeName === 'switched')) {
    const asked = { type: 'rollback', by: 'isthmus', reason: 'its Migration was deleted' } as const;
    const back = command(state, asked, { now, spec: state.spec, from });
    // Without a way back it is driven as before, and asked again.
    return back.ok ? back.value : 'stays';
  }
  if (phase !== 'done' || state.released === true) return 'remove';
  const { namespace, spec } = state;
  const heir = all.some(
    (other) => other !== state && other.namespace === namespace && other.spec.service === spec.service && mayReplace(state, other),
  );
  return heir ? 'remove' : 'stays';
}
