import type { Command } from 'commander';
import type { AuthorityStatus } from '../../core/admin/index.ts';
import { sha256Hex } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { trustDomainFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { authorityText } from '../text/authority-text.ts';

interface CaStatusFlags extends LeafOptions, TargetOptions {
  readonly dir?: string;
  readonly trustDomain?: string;
}

export function addCaStatus(ca: Command, io: Io): void {
  apiLeaf(ca, 'status', "the control plane's certificates; with --dir the root in a folder: whether its key fits, and how long it lives", [
    'ca status',
    'ca status --dir /secure/root --trust-domain mesh.example.org',
  ])
    .option('--dir <folder>', 'folder of a root; nothing is asked of a control plane then')
    .option('--trust-domain <name>', 'of that root', trustDomainFlag)
    .action(async (flags: CaStatusFlags) => {
      const { dir, trustDomain, output } = flags;
      if (dir === undefined) {
        await callAndEmit(io, flags, (client) => client.get<AuthorityStatus>('/v1/ca'), authorityText);
        return;
      }
      if (trustDomain === undefined)
        throw new CliError(exitCode.invalid, 'INVALID_INPUT', '--dir needs the --trust-domain of the root there');
      const { loadRoot } = await import('../../control/index.ts');
      const { certificate } = await loadRoot(dir, trustDomain);
      const days = Math.floor((certificate.notAfter - systemClock.now()) / 86_400_000);
      const notAfter = new Date(certificate.notAfter).toISOString();
      const fingerprint = sha256Hex(certificate.der);
      emit(
        io,
        output,
        { dir, trustDomain, notAfter, days, fingerprint },
        `Root of ${trustDomain} in ${dir}\n  until ${notAfter} (${days} days)\n  SHA-256 ${fingerprint}`,
      );
    });
}
