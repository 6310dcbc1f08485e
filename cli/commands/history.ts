import type { Command } from 'commander';
import type { RevisionDetail, RevisionList } from '../../core/admin/index.ts';
import { countFlag } from '../arguments.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { revisionFlag } from '../object-flags.ts';
import { historyText, revisionText } from '../text/object-text.ts';

interface HistoryOptions extends LeafOptions, TargetOptions {
  readonly limit: number;
}

export function addHistory(program: Command, io: Io): void {
  apiLeaf(program, 'history', 'what was applied, deleted and rolled back, by whom and when; with a number, what exactly', [
    'history',
    'history 12',
    "history --limit 1 --output json | jq '.newest'",
  ])
    .argument('[revision]', 'number of a revision', revisionFlag)
    .option('--limit <count>', 'revisions to show, the newest first', countFlag, 20)
    .action(async (revision: number | undefined, options: HistoryOptions) => {
      if (revision === undefined) {
        const limit = Math.min(1000, options.limit);
        return callAndEmit(io, options, (c) => c.get<RevisionList>(`/v1/objects/revisions?limit=${limit}`), historyText);
      }
      return callAndEmit(io, options, (c) => c.get<RevisionDetail>(`/v1/objects/revisions/${revision}`), revisionText);
    });
}
