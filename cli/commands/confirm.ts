import type { Command } from 'commander';
import type { RevisionSummary } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { revisionFlag } from '../object-flags.ts';

export function addConfirm(program: Command, io: Io): void {
  apiLeaf(program, 'confirm', 'keep the tentative revision: it is not rolled back any more', ['confirm', 'confirm 12'])
    .argument('[revision]', 'refuse when another one waits', revisionFlag)
    .action((revision: number | undefined, options: LeafOptions & TargetOptions) =>
      callAndEmit(
        io,
        options,
        (client) => client.post<RevisionSummary>('/v1/objects/confirm', revision === undefined ? {} : { revision }),
        (r) => `Revision ${r.number} is confirmed.`,
      ),
    );
}
