import type { MigrationPhase } from '../../../core/admin/index.ts';

const ends: ReadonlySet<MigrationPhase> = new Set(['done', 'rolled-back', 'aborted']);

/** Nothing happens by itself any more. */
export function isEnd(phase: MigrationPhase): boolean {
  return ends.has(phase);
}

/** Started and not ended. */
export function isRunning(phase: MigrationPhase): boolean {
  return phase !== 'reserved' && !isEnd(phase);
}
