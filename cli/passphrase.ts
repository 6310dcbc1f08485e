import { readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './cli-error.ts';
import { exitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

/** From a file of the owner's alone, or asked for at the terminal, where it is not shown. Never from the command line: others see that. */
export async function readPassphrase(io: Io, file: string | undefined, twice: boolean): Promise<string> {
  if (file !== undefined) {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) io.err(`isthmus: ${file} can be read by others: chmod 600 it\n`);
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  }
  if (!process.stdin.isTTY)
    throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'there is no terminal to ask for the passphrase', 'give --passphrase-file FILE');
  const first = await ask(io, 'Passphrase: ');
  if (twice && (await ask(io, 'Again: ')) !== first) throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'the two passphrases differ');
  return first;
}

async function ask(io: Io, question: string): Promise<string> {
  io.err(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await lines.question('', { signal: io.signal });
  } finally {
    lines.close();
    io.err('\n');
  }
}
