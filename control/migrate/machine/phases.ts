import type { MigrationPhase } from '../../../core/admin/index.ts';
import type { MigrationState } from '../contract.ts';

const ends: ReadonlySet<MigrationPhase> = new Set(['done', 'rolled-back', 'aborted']);

/** Nothing happens by itself any more. */
export function isEnd(phase: MigrationPhase): boolean {
  return ends.has(phase);
}

/** Started and not ended. */
export function isRunning(phase: MigrationPhase): boolean {
  return phase !== 'reserved' && !isEnd(phase);
}

/** False: a newer version of this program wrote it, whose phases may be others. */
export function isReadable({ version }: { readonly version: MigrationState['version'] | number }): boolean {
  return version === 1;
}
