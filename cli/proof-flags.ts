import { access, constants } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { JoinToken, ProofOptions } from '../core/identity/index.ts';
import { CliError } from './cli-error.ts';
import { exitCode } from './exit-codes.ts';

export interface ProofFlags {
  readonly proofFile?: string;
  readonly proofCert?: string;
  readonly proofKey?: string;
}

export function addProofFlags(command: Command): Command {
  return command
    .option('--proof-file <file>', 'token or document to show, where the join token names an attestor; read anew each time')
    .option('--proof-cert <file>', 'certificate chain to show (PEM), with --proof-key')
    .option('--proof-key <file>', 'its private key (PEM)');
}

/** What the flags name, readable now; undefined: nothing. `token`: undefined where it is not known. */
export async function proofOf(
  { proofFile, proofCert, proofKey }: ProofFlags,
  token: JoinToken | undefined,
): Promise<ProofOptions | undefined> {
  const usage = (message: string, hint: string) => new CliError(exitCode.invalid, 'USAGE', message, hint);
  const named = [proofFile, proofCert, proofKey].filter((each) => each !== undefined);
  if (token !== undefined && token.attestor === undefined && named.length > 0)
    throw usage('the join token holds its own secret: no proof is shown with it', 'make one with isthmus vm token --attestor NAME');
  if (token?.attestor !== undefined && named.length === 0)
    throw usage(
      `the token names the attestor ${token.attestor} and holds no secret`,
      'give --proof-file FILE, or --proof-cert FILE and --proof-key FILE',
    );
  if (named.length === 0) return undefined;
  if ((proofCert === undefined) !== (proofKey === undefined) || (proofFile !== undefined) === (proofCert !== undefined))
    throw usage('a proof is a file, or a certificate with its key', 'give --proof-file FILE, or --proof-cert FILE and --proof-key FILE');
  for (const path of named) {
    await access(path, constants.R_OK).catch(() => {
      throw usage(`${path} cannot be read`, 'check the path, and who may read it');
    });
  }
  if (proofFile !== undefined) return { file: resolve(proofFile) };
  return { cert: resolve(proofCert ?? ''), key: resolve(proofKey ?? '') };
}
