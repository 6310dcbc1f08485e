import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Io } from '../io.ts';
import { type MigrationOptions, migrationLeaf, steer } from './migrate-target.ts';

interface ReasonOptions extends MigrationOptions {
  readonly reason: string;
}

const nameHelp = 'NAME or NAMESPACE/NAME';

export function addMigratePause(group: Command, io: Io): void {
  migrationLeaf(group, 'pause', 'stay at the weight of now; its gates are watched on, and a breach still goes back', [
    'migrate pause shop/orders-to-prod --reason "deploying web"',
  ])
    .argument('<name>', nameHelp)
    .addOption(new Option('--reason <text>', 'why, for whoever looks').default('no reason was given'))
    .action((name: string, options: ReasonOptions) => steer(io, options, name, 'pause', { reason: options.reason }));
}

export function addMigrateResume(group: Command, io: Io): void {
  migrationLeaf(group, 'resume', 'go on after a pause', ['migrate resume shop/orders-to-prod'])
    .argument('<name>', nameHelp)
    .action((name: string, options: MigrationOptions) => steer(io, options, name, 'resume', {}));
}

export function addMigrateApprove(group: Command, io: Io): void {
  migrationLeaf(group, 'approve', 'say that a step may begin once its turn has come', [
    'migrate approve shop/orders-to-prod',
    'migrate approve shop/orders-to-prod --step 50',
  ])
    .argument('<name>', nameHelp)
    .addOption(new Option('--step <weight>', 'percent of the step; default: the next that waits for it').argParser(weightFlag))
    .action((name: string, options: MigrationOptions & { readonly step?: number }) =>
      steer(io, options, name, 'approve', options.step === undefined ? {} : { weight: options.step }),
    );
}

export function addMigrateRollback(group: Command, io: Io): void {
  migrationLeaf(group, 'rollback', 'all traffic back to the old side, now; also after it is done, while the old side is there', [
    'migrate rollback shop/orders-to-prod --reason "carts are lost"',
  ])
    .argument('<name>', nameHelp)
    .requiredOption('--reason <text>', 'why, for the audit log and the report')
    .action((name: string, options: ReasonOptions) => steer(io, options, name, 'rollback', { reason: options.reason }));
}

export function addMigrateAbort(group: Command, io: Io): void {
  migrationLeaf(group, 'abort', 'end it: as rollback, and it is not tried again', ['migrate abort shop/orders-to-prod'])
    .argument('<name>', nameHelp)
    .action((name: string, options: MigrationOptions) => steer(io, options, name, 'abort', {}));
}

function weightFlag(text: string): number {
  const weight = Number(text.replace(/ ?%$/, ''));
  if (!(weight > 0 && weight <= 100)) throw new InvalidArgumentError('It must be the percent of a step, such as 50.');
  return weight;
}
