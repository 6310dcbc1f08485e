import type { Command } from 'commander';
import type { MigrationList } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { migrationListText } from '../text/migration-list-text.ts';

export function addMigrateList(group: Command, io: Io): void {
  apiLeaf(group, 'list', 'all migrations, how far they are, and whether they are frozen', [
    'migrate list',
    "migrate list --output json | jq '.migrations[] | select(.hold != null) | .name'",
  ]).action((options: LeafOptions & TargetOptions) =>
    callAndEmit(io, options, (client) => client.get<MigrationList>('/v1/migrations'), migrationListText),
  );
}
