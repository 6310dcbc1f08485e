import { type Command, Option } from 'commander';
import { ApiClient } from './api-client.ts';
import { resolveTarget, type TargetOptions } from './context/target.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { emit, type Io, type OutputFormat } from './io.ts';

export interface LeafOptions {
  readonly output: OutputFormat;
}

/** A command that does something: with `--output`, examples and the exit codes in its help. */
export function leaf(
  parent: Command,
  nameAndArguments: string,
  description: string,
  examples: readonly string[],
  formats: readonly string[] = ['text', 'json'],
): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .addOption(new Option('-o, --output <format>', 'how the result is printed').choices(formats).default('text'))
    .addHelpText('after', `\nExamples:\n${examples.map(exampleLine).join('\n')}\n${exitCodesHelp}`);
}

/** What is piped into us begins with another program. */
function exampleLine(example: string): string {
  return example.includes('| isthmus ') ? `  $ ${example}` : `  $ isthmus ${example}`;
}

/** A leaf that calls the admin API. */
export function apiLeaf(
  parent: Command,
  nameAndArguments: string,
  description: string,
  examples: readonly string[],
  formats?: readonly string[],
): Command {
  return leaf(parent, nameAndArguments, description, examples, formats)
    .option('--api <host:port>', 'admin API of the control plane (ISTHMUS_API)')
    .option('--ca-file <file>', 'PEM of the root that its certificate must chain to (ISTHMUS_CA_FILE)')
    .option('--credential-file <file>', 'file with the bearer credential (ISTHMUS_CREDENTIAL_FILE)')
    .option('--context <name>', 'entry of the context file to use (ISTHMUS_CONTEXT)');
}

export async function clientFor(options: TargetOptions, io: Io): Promise<ApiClient> {
  return new ApiClient(await resolveTarget(options, io.env), io.signal);
}

/** Calls the API once and prints what came. */
export async function callAndEmit<T>(
  io: Io,
  options: LeafOptions & TargetOptions,
  call: (client: ApiClient) => Promise<T>,
  text: (value: T) => string,
): Promise<void> {
  const value = await call(await clientFor(options, io));
  emit(io, options.output, value, text(value));
}
