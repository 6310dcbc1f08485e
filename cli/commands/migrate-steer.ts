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
  migrationLeaf(group, 'abort', 'end it where it stands: both sides keep the traffic that they have; rollback takes it back', [
    'migrate abort shop/orders-to-prod',
  ])
    .argument('<name>', nameHelp)
    .action((name: string, options: MigrationOptions) => steer(io, options, name, 'abort', {}));
}

export function addMigrateFinish(group: Command, io: Io): void {
  migrationLeaf(group, 'finish', 'end its drain although not every endpoint of the old side is known to be safe, which the report keeps', [
    'migrate finish shop/orders-to-prod --reason "no agent can run on vm-3; its owner says nobody calls it"',
  ])
    .argument('<name>', nameHelp)
    .requiredOption('--reason <text>', 'how it is known, for the audit log and the report')
    .action((name: string, options: ReasonOptions) => steer(io, options, name, 'finish', { reason: options.reason }));
}

function weightFlag(text: string): number {
  const weight = Number(text.replace(/ ?%$/, ''));
  if (!(weight > 0 && weight <= 100)) throw new InvalidArgumentError('It must be the percent of a step, such as 50.');
  return weight;
}
