import { type Command, InvalidArgumentError, Option } from 'commander';
import { certificatesToPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { durationFlag, trustDomainFlag } from '../arguments.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';

interface CaInitFlags extends LeafOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly lifetime: number;
}

/** No certificate outlives the one that signed it: a root has to last for an intermediate's life, 90 days unless the Mesh says otherwise. */
const shortestMs = 90 * 86_400_000;

function lifetimeFlag(text: string): number {
  const ms = durationFlag(text);
  if (ms < shortestMs)
    throw new InvalidArgumentError('It must be at least 90d, the life of the intermediates that clusters sign with; the default is 3650d.');
  return ms;
}

export function addCaInit(ca: Command, io: Io): void {
  leaf(ca, 'init', 'make the root of a new trust domain; a root that exists is never overwritten', [
    'ca init --dir /secure/root --trust-domain mesh.example.org',
    'ca init --dir /secure/root --trust-domain mesh.example.org > root-certificate.pem',
  ])
    .requiredOption('--dir <folder>', 'where its key is kept, owner-only; rootDir of the Mesh if it may sign online')
    .requiredOption('--trust-domain <name>', 'such as mesh.example.org', trustDomainFlag)
    .addOption(new Option('--lifetime <duration>', 'of the root, 90d at least').argParser(lifetimeFlag).default(3650 * 86_400_000, '3650d'))
    .action(async ({ dir, trustDomain, lifetime, output }: CaInitFlags) => {
      const { caInit } = await import('../../control/index.ts');
      const { certificate } = await caInit(dir, trustDomain, systemClock.now(), lifetime);
      const notAfter = new Date(certificate.notAfter).toISOString();
      const pem = certificatesToPem([certificate.der]);
      if (output === 'text')
        io.err(`Root of ${trustDomain} in ${dir}, until ${notAfter}. Keep a copy of that folder where nobody else can read it.\n`);
      emit(io, output, { dir, trustDomain, notAfter, certificate: pem }, pem);
    });
}
