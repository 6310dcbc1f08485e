import { type Command, Option } from 'commander';
import type { MigrationList, MigrationStatus } from '../../core/admin/index.ts';
import type { ApiClient } from '../api-client.ts';
import { durationFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { clientFor } from '../leaf.ts';
import { migrationListText } from '../text/migration-list-text.ts';
import { hasEnded } from '../text/migration-phase.ts';
import { migrationText } from '../text/migration-text.ts';
import { followMigration, sayOutcome } from './migrate-follow.ts';
import { type MigrationOptions, migrationLeaf, migrationPath } from './migrate-target.ts';

interface StatusOptions extends MigrationOptions {
  readonly watch?: boolean;
  readonly exitCode?: boolean;
  readonly interval: number;
  readonly timeout?: number;
}

export const outcomeHelp = 'Here 6: it went back, or was aborted; 7: it still runs.';

export function addMigrateStatus(group: Command, io: Io): void {
  migrationLeaf(
    group,
    'status',
    'step, weights asked for and measured, gates against their limits, what comes next, and who still calls the old side',
    [
      'migrate status',
      'migrate status shop/orders-to-prod --watch',
      'migrate status shop/orders-to-prod --watch --timeout 2h > orders.log || echo "it did not arrive"',
      'migrate status shop/orders-to-prod --exit-code --output json > status.json',
    ],
  )
    .argument('[name]', 'NAME or NAMESPACE/NAME; may be left out where one alone runs')
    .option('-w, --watch', 'until it ends: drawn again and again on a terminal, else a line for each change')
    .option('--exit-code', 'say with the exit code what has become of it, as --watch does at its end')
    .addOption(new Option('--interval <duration>', 'between two looks of --watch').argParser(durationFlag).default(2000, '2s'))
    .addOption(new Option('--timeout <duration>', 'of --watch; it runs on').argParser(durationFlag))
    .addHelpText('after', outcomeHelp)
    .action(async (name: string | undefined, options: StatusOptions) => {
      const client = await clientFor(options, io);
      const path = name === undefined ? await onlyOne(client, io, options) : migrationPath(name, options.namespace);
      if (path === undefined) return;
      if (options.watch !== true) {
        const status = await client.get<MigrationStatus>(path);
        emit(io, options.output, status, migrationText(status));
        if (options.exitCode === true) sayOutcome(status);
        return;
      }
      const { output, interval: everyMs, timeout } = options;
      const timeoutMs = timeout === undefined ? {} : { timeoutMs: timeout };
      sayOutcome(await followMigration(client, io, { path, output, everyMs, redraw: true, ...timeoutMs }));
    });
}

/** The one that runs; where that is not one alone all are listed, and undefined comes back. */
async function onlyOne(client: ApiClient, io: Io, { output, watch, exitCode: asked }: StatusOptions): Promise<string | undefined> {
  const list = await client.get<MigrationList>('/v1/migrations');
  const running = list.migrations.filter((each) => !hasEnded(each));
  const [only] = running;
  if (only !== undefined && running.length === 1) return `/v1/migrations/${only.namespace}/${only.name}`;
  emit(io, output, list, migrationListText(list));
  if (watch !== true && asked !== true) return undefined;
  const many = running.length === 0 ? 'none runs' : `${running.length} run`;
  throw new CliError(exitCode.invalid, 'INVALID_INPUT', `say which migration: ${many}`);
}
