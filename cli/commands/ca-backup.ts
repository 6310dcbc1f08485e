import type { Command } from 'commander';
import type { BackupResult } from '../../control/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { type Checked, formatViolation } from '../../core/validate.ts';
import { collect } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { readPassphrase } from '../passphrase.ts';

interface BackupFlags extends LeafOptions {
  readonly config: string[];
  readonly passphraseFile?: string;
  readonly force?: boolean;
}

export function addCaBackup(ca: Command, io: Io): void {
  sealed(
    leaf(ca, 'backup', 'the keys, certificates and trust of this cluster in one encrypted file; the root too where it lies here', [
      'ca backup -c isthmus.yaml east-ca.backup',
      'ca backup -c isthmus.yaml --passphrase-file /run/secrets/ca-backup east-ca.backup',
    ]),
  )
    .option('--force', 'overwrite the file where it exists')
    .action(async (file: string, flags: BackupFlags) => {
      const { backupAuthority } = await import('../../control/index.ts');
      const passphrase = await readPassphrase(io, flags.passphraseFile, true);
      const { config, force = false } = flags;
      const made = sound(await backupAuthority({ config, file, passphrase, force, clock: systemClock }));
      const { cluster, trustDomain, root, createdAt } = made;
      const what = root ? 'with the key of the root' : "without the root's key, which is elsewhere";
      emit(
        io,
        flags.output,
        { file, cluster, trustDomain, root, createdAt },
        `Authority of cluster ${cluster} in ${file}, ${what}. Without its passphrase nobody can read it.`,
      );
    });
}

export function addCaRestore(ca: Command, io: Io): void {
  sealed(
    leaf(ca, 'restore', 'put a backup back, onto an empty state or its own; the control plane must not run', [
      'ca restore -c isthmus.yaml east-ca.backup',
    ]),
  ).action(async (file: string, flags: BackupFlags) => {
    const { restoreAuthority } = await import('../../control/index.ts');
    const passphrase = await readPassphrase(io, flags.passphraseFile, false);
    const made = sound(await restoreAuthority({ config: flags.config, file, passphrase, clock: systemClock }));
    const { cluster, trustDomain, root, createdAt, voided } = made;
    const text = [
      `Restored from the backup of ${createdAt}: authority of cluster ${cluster} of ${trustDomain}${root ? ', with its root' : ''}.`,
      `  New epoch; outstanding join tokens are void (${voided}).`,
      `Next: isthmus control ${flags.config.map((c) => `-c ${c}`).join(' ')}`,
    ];
    emit(io, flags.output, { file, cluster, trustDomain, root, createdAt, voided }, text.join('\n'));
  });
}

function sealed(command: Command): Command {
  return command
    .argument('<file>', 'the backup')
    .requiredOption('-c, --config <path>', 'configuration file or folder; may be repeated', collect)
    .option('--passphrase-file <file>', 'holds the passphrase in one line; asked for at the terminal otherwise');
}

function sound(checked: Checked<BackupResult>): BackupResult {
  if (checked.ok) return checked.value;
  const all = checked.violations.map((v) => `  ${formatViolation(v)}`).join('\n');
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `the configuration is not valid:\n${all}`, 'correct them all, and run it again');
}
