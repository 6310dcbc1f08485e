import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { certificatesToPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { trustDomainFlag } from '../arguments.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { readPassphrase } from '../passphrase.ts';

interface CaImportFlags extends LeafOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly passphraseFile?: string;
}

export function addCaImport(ca: Command, io: Io): void {
  leaf(ca, 'import', 'take a root that was made elsewhere: its key and self-signed certificate, in PEM or PKCS#12', [
    'ca import --dir /secure/root --trust-domain mesh.example.org root.pem',
    'ca import --dir /secure/root --trust-domain mesh.example.org --passphrase-file password root.p12',
  ])
    .argument('<file>', 'PEM, or PKCS#12 where the name ends in .p12 or .pfx')
    .requiredOption('--dir <folder>', 'where its key is kept from now on, owner-only')
    .requiredOption('--trust-domain <name>', 'that it is the root of', trustDomainFlag)
    .option('--passphrase-file <file>', 'holds the password of the PKCS#12 file; asked for at the terminal otherwise')
    .action(async (file: string, { dir, trustDomain, passphraseFile, output }: CaImportFlags) => {
      const { caImport, issuerFromPem, rootFromPkcs12 } = await import('../../control/index.ts');
      const bytes = await readFile(file);
      const issuer = /\.(p12|pfx)$/i.test(file)
        ? rootFromPkcs12(bytes, await readPassphrase(io, passphraseFile, false))
        : issuerFromPem(bytes.toString('utf8'), file);
      const { certificate } = await caImport(dir, trustDomain, issuer, systemClock.now());
      const notAfter = new Date(certificate.notAfter).toISOString();
      if (output === 'text') io.err(`Root of ${trustDomain} in ${dir}, until ${notAfter}.\n`);
      const pem = certificatesToPem([certificate.der]);
      emit(io, output, { dir, trustDomain, notAfter, certificate: pem }, pem);
    });
}
