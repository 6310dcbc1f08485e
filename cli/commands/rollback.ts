import type { Command } from 'commander';
import type { ChangeResult } from '../../core/admin/index.ts';
import { followTentative } from '../follow-tentative.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor } from '../leaf.ts';
import { type ChangeOptions, changeBody, changeFlags, revisionFlag } from '../object-flags.ts';
import { changeText } from '../text/object-text.ts';

export function addRollback(program: Command, io: Io): void {
  changeFlags(
    apiLeaf(program, 'rollback', 'go back to what was applied as of a revision; that is a new revision itself', [
      'rollback 11',
      'rollback 11 --dry-run',
      'rollback 11 --confirm-within 5m',
    ]),
  )
    .argument('<revision>', 'number of a revision, see isthmus history; 0: before the first', revisionFlag)
    .action(async (revision: number, options: ChangeOptions) => {
      const client = await clientFor(options, io);
      const result = await client.post<ChangeResult>('/v1/objects/rollback', { revision, ...changeBody(options) });
      emit(io, options.output, result, changeText(result));
      if (options.wait === true) await followTentative(client, io, result);
    });
}
