import type { MigrationPhase, MigrationStatus } from '../../core/admin/index.ts';

const ends: readonly MigrationPhase[] = ['done', 'rolled-back', 'aborted'];

/** Nothing more comes of this run. */
export function hasEnded({ phase }: Pick<MigrationStatus, 'phase'>): boolean {
  return ends.includes(phase);
}
