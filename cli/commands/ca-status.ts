import type { Command } from 'commander';
import { sha256Hex } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';

interface CaStatusFlags extends LeafOptions {
  readonly dir: string;
  readonly trustDomain: string;
}

export function addCaStatus(ca: Command, io: Io): void {
  leaf(ca, 'status', 'the root in a folder: whether its key fits, and how long it lives', [
    'ca status --dir /secure/root --trust-domain mesh.example.org',
  ])
    .requiredOption('--dir <folder>', 'folder of the root')
    .requiredOption('--trust-domain <name>', 'of the root')
    .action(async ({ dir, trustDomain, output }: CaStatusFlags) => {
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
