import type { MigrationState } from '../contract.ts';
import { inForce, isEnd, isRunning, mayReplace, ofSameService } from '../machine/index.ts';

/** Why a migration that was started may not begin yet. Of several that could, the one that was started first comes first. */
export function blockersOf(state: MigrationState, all: readonly MigrationState[], limit: number): readonly string[] {
  const others = all.filter((other) => idOf(other) !== idOf(state));
  const waitsFor = dependencies(state, all);
  if (waitsFor.length > 0) return waitsFor;
  const before = others.filter(
    (other) => isRunning(other.phase) && (other.phase !== 'waiting' || (dependencies(other, all).length === 0 && isEarlier(other, state))),
  );
  const same = before.filter((other) => other.namespace === state.namespace && other.spec.service === state.spec.service);
  if (same.length > 0) return same.map((other) => `${idOf(other)} moves the same service`);
  // It was looked at when this one was started; another may have moved the service since.
  const [holder] = inForce(ofSameService(state, all).filter(({ phase }) => isEnd(phase)));
  if (state.phase === 'waiting' && holder !== undefined && !mayReplace(holder, state))
    return [`${idOf(holder)} holds the traffic of the same service (${holder.phase}): delete it first`];
  return before.length >= limit ? [`${before.length} run already, and no more than ${limit} may`] : [];
}

function dependencies({ spec }: MigrationState, all: readonly MigrationState[]): readonly string[] {
  return spec.dependsOn.flatMap((id) => {
    const phase = all.find((other) => idOf(other) === id)?.phase;
    return phase === 'done' ? [] : [`${id} comes first, and ${phase === undefined ? 'is not there' : `is ${phase}`}`];
  });
}

function isEarlier(a: MigrationState, b: MigrationState): boolean {
  const [first, second] = [a.startedAt ?? 0, b.startedAt ?? 0];
  return first !== second ? first < second : idOf(a) < idOf(b);
}

function idOf({ namespace, name }: MigrationState): string {
  return `${namespace}/${name}`;
}
