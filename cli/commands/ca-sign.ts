import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { isDnsLabel } from '../../core/model/index.ts';
import { certificatesToPem, pemBlocks } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { durationFlag, trustDomainFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';

interface CaSignFlags extends LeafOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly cluster: string;
  readonly csr: string;
  readonly lifetime: number;
}

export function addCaSign(ca: Command, io: Io): void {
  leaf(ca, 'sign', "sign a cluster's intermediate where the root is kept; it can speak for that cluster alone", [
    'ca sign --dir /secure/root --trust-domain mesh.example.org --cluster west --csr west.csr > west.pem',
  ])
    .requiredOption('--dir <folder>', 'folder of the root')
    .requiredOption('--trust-domain <name>', 'of the root', trustDomainFlag)
    .requiredOption('--cluster <name>', 'whose intermediate it will be')
    .requiredOption('--csr <file>', "the cluster's certificate request, PEM")
    .addOption(new Option('--lifetime <duration>', 'of the intermediate').argParser(durationFlag).default(90 * 86_400_000, '90d'))
    .action(async (flags: CaSignFlags) => {
      const { dir, trustDomain, cluster, output } = flags;
      if (!isDnsLabel(cluster)) throw new CliError(exitCode.invalid, 'INVALID_INPUT', `${JSON.stringify(cluster)} is not a cluster name`);
      const [csr] = pemBlocks(await readFile(flags.csr, 'utf8'), 'CERTIFICATE REQUEST');
      if (csr === undefined)
        throw new CliError(
          exitCode.invalid,
          'INVALID_INPUT',
          `${flags.csr} holds no certificate request`,
          'give the PEM file that the cluster wrote',
        );
      const { loadRoot, signIntermediate } = await import('../../control/index.ts');
      const root = await loadRoot(dir, trustDomain);
      const signed = signIntermediate(root, csr, cluster, systemClock.now(), flags.lifetime);
      const pem = certificatesToPem([signed.der]);
      const notAfter = new Date(signed.notAfter).toISOString();
      if (output === 'text') io.err(`Intermediate of cluster ${cluster}, until ${notAfter}; the root's certificate follows it.\n`);
      const rootPem = certificatesToPem([root.certificate.der]);
      emit(io, output, { cluster, trustDomain, notAfter, certificate: pem, roots: [rootPem] }, pem + rootPem);
    });
}
