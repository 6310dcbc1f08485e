import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { AuthorityStatus, IntermediateRequest } from '../../core/admin/index.ts';
import { certificatesToPem, pemBlocks } from '../../core/pki/index.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { authorityText } from '../text/authority-text.ts';

export function addCaRequest(ca: Command, io: Io): void {
  apiLeaf(ca, 'request', "this cluster's request for a signing certificate, for `ca sign` where the root is kept", [
    'ca request > west.csr',
  ]).action((options: LeafOptions & TargetOptions) =>
    callAndEmit(
      io,
      options,
      (client) => client.get<IntermediateRequest>('/v1/ca/request'),
      ({ cluster, trustDomain, csr }) => {
        io.err(
          `Where the root is kept: isthmus ca sign --dir FOLDER --trust-domain ${trustDomain} --cluster ${cluster} --csr FILE > ${cluster}.pem; ` +
            `then here: isthmus ca install ${cluster}.pem\n`,
        );
        return csr;
      },
    ),
  );
}

export function addCaInstall(ca: Command, io: Io): void {
  apiLeaf(ca, 'install', "install what `ca sign` printed: this cluster's signing certificate, and the root over it", [
    'ca install west.pem',
  ])
    .argument('<file>', 'PEM: the signing certificate first, then the root')
    .action(async (file: string, options: LeafOptions & TargetOptions) => {
      const [certificate, ...roots] = pemBlocks(await readFile(file, 'utf8'), 'CERTIFICATE').map((der) => certificatesToPem([der]));
      if (certificate === undefined || roots.length === 0) {
        const hint = 'give the file that isthmus ca sign printed, whole';
        throw new CliError(exitCode.invalid, 'INVALID_INPUT', `${file} does not hold a signing certificate and its root`, hint);
      }
      await callAndEmit(io, options, (client) => client.post<AuthorityStatus>('/v1/ca/install', { certificate, roots }), authorityText);
    });
}
