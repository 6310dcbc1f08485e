import { type Command, Option } from 'commander';
import type { ChangeResult, MigrationStatus } from '../../core/admin/index.ts';
import type { ApiClient } from '../api-client.ts';
import { collect, durationFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { clientFor } from '../leaf.ts';
import { readDocuments } from '../read-documents.ts';
import { migrationHeadline } from '../text/migration-text.ts';
import { followMigration, sayOutcome } from './migrate-follow.ts';
import { outcomeHelp } from './migrate-status.ts';
import { type MigrationOptions, migrationLeaf, migrationPath } from './migrate-target.ts';

interface StartOptions extends MigrationOptions {
  readonly filename?: readonly string[];
  readonly wait?: boolean;
  readonly timeout?: number;
}

export function addMigrateStart(group: Command, io: Io): void {
  migrationLeaf(group, 'start', 'begin a migration that is applied, or apply it first', [
    'migrate start shop/orders-to-prod',
    'migrate start -f orders-to-prod.yaml',
    'migrate start -f orders-to-prod.yaml --wait && ssh vm-1 systemctl stop orders',
  ])
    .argument('[name]', 'NAME or NAMESPACE/NAME')
    .option('-f, --filename <path>', 'file with one Migration, applied first; or - for standard input', collect)
    .option('--wait', 'stay until it ends, with a line for each change')
    .addOption(new Option('--timeout <duration>', 'of --wait; it runs on').argParser(durationFlag))
    .addHelpText('after', `${outcomeHelp} Both with --wait alone.`)
    .action(async (name: string | undefined, options: StartOptions) => {
      const { filename = [], namespace, output, wait, timeout } = options;
      if ((name === undefined) === (filename.length === 0))
        throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'say what to start', 'give NAME, or -f FILE');
      const client = await clientFor(options, io);
      const path = name === undefined ? await applied(client, io, filename, namespace) : migrationPath(name, namespace);
      const status = await client.post<MigrationStatus>(`${path}/start`, {});
      if (wait !== true) return emit(io, output, status, `${migrationHeadline(status)}\nNext: ${status.next}`);
      const timeoutMs = timeout === undefined ? {} : { timeoutMs: timeout };
      sayOutcome(await followMigration(client, io, { path, output, everyMs: 1000, redraw: false, run: status.run, ...timeoutMs }));
    });
}

/** Applies what the files hold, which is one Migration; looked at before anything is changed. */
async function applied(client: ApiClient, io: Io, filename: readonly string[], namespace: string): Promise<string> {
  const body = { files: await readDocuments(filename, io), namespace };
  const { objects } = await client.post<ChangeResult>('/v1/objects/apply', { ...body, dryRun: true });
  const [only, ...others] = objects;
  if (only?.kind !== 'Migration' || others.length > 0) {
    const found = objects.map((each) => `${each.kind} ${each.namespace}/${each.name}`).join(', ');
    throw new CliError(
      exitCode.invalid,
      'INVALID_INPUT',
      `the files hold ${found}: one Migration is started`,
      'apply the others with isthmus apply',
    );
  }
  if (only.action !== 'unchanged') await client.post<ChangeResult>('/v1/objects/apply', body);
  return migrationPath(`${only.namespace}/${only.name}`, namespace);
}
