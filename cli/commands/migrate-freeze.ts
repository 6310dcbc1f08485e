import type { Command } from 'commander';
import type { MigrationFreeze } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

export function addMigrateFreeze(group: Command, io: Io): void {
  apiLeaf(group, 'freeze', 'no step of any migration begins until unfreeze; what goes back still does', [
    'migrate freeze --reason "sale until Monday"',
  ])
    .requiredOption('--reason <text>', 'why, for whoever waits')
    .action((options: LeafOptions & TargetOptions & { readonly reason: string }) =>
      callAndEmit(io, options, (client) => client.post<MigrationFreeze>('/v1/migrations/freeze', { reason: options.reason }), freezeText),
    );
}

export function addMigrateUnfreeze(group: Command, io: Io): void {
  apiLeaf(group, 'unfreeze', 'migrations go on', ['migrate unfreeze']).action((options: LeafOptions & TargetOptions) =>
    callAndEmit(io, options, (client) => client.post<MigrationFreeze>('/v1/migrations/unfreeze', {}), freezeText),
  );
}

function freezeText({ freeze }: MigrationFreeze): string {
  return freeze === null ? 'Migrations go on.' : `All migrations are frozen by ${freeze.by} since ${freeze.at}: ${freeze.reason}`;
}
