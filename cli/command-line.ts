import { Command, CommanderError } from 'commander';
import { toCliError } from './cli-error.ts';
import { type ExitCode, exitCode, exitCodesHelp } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Runs one command line (without node and script) to its end, with the commands that `add` adds. Never throws. */
export async function runCommands(args: readonly string[], io: Io, add: (program: Command, io: Io) => void): Promise<ExitCode> {
  try {
    const program = emptyProgram(io);
    add(program, io);
    await program.parseAsync([...args], { from: 'user' });
    return exitCode.ok;
  } catch (error) {
    // Commander has printed its message, and the usage, already. Its own code is 0 for --help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.invalid;
    return report(error, io, wantsJson(args));
  }
}

function emptyProgram(io: Io): Command {
  return new Command('isthmus')
    .description('joins Kubernetes, Consul, Nomad and bare VMs, in any number of clusters, into one mesh')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .showHelpAfterError('(see --help)')
    .showSuggestionAfterError()
    .addHelpText('after', `\nEvery command takes --help and --output json.\n${exitCodesHelp}`);
}

function report(error: unknown, io: Io, json: boolean): ExitCode {
  const failure = toCliError(error);
  const { code, message, next, exit } = failure;
  if (json) io.err(`${JSON.stringify({ error: { code, message, next, exit } })}\n`);
  else io.err(`isthmus: ${message}\n${next === '' ? '' : `  next: ${next}\n`}`);
  return exit;
}

function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, i) => arg === '--output=json' || arg === '-ojson' || ((arg === '--output' || arg === '-o') && args[i + 1] === 'json'),
  );
}
