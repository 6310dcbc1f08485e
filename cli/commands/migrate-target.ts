import type { Command } from 'commander';
import { Option } from 'commander';
import type { MigrationStatus } from '../../core/admin/index.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor, type LeafOptions } from '../leaf.ts';
import { migrationHeadline } from '../text/migration-text.ts';

export interface MigrationOptions extends LeafOptions, TargetOptions {
  readonly namespace: string;
}

/** A command about one migration. */
export function migrationLeaf(group: Command, nameAndArguments: string, description: string, examples: readonly string[]): Command {
  return apiLeaf(group, nameAndArguments, description, examples).addOption(namespaceOption());
}

export function namespaceOption(): Option {
  return new Option('-n, --namespace <name>', 'of names without one').default('default');
}

/** NAME or NAMESPACE/NAME, as the API has its path; what is no name is refused before anybody is asked. */
export function migrationPath(text: string, namespace: string): string {
  const parts = text.split('/');
  const [first = '', second = ''] = parts.length === 1 ? [namespace, text] : parts;
  const fits =
    parts.length <= 2 && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(first) && /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(second);
  if (fits) return `/v1/migrations/${first}/${second}`;
  throw new CliError(exitCode.invalid, 'INVALID_INPUT', `${text} is not NAME or NAMESPACE/NAME of a migration`, 'see isthmus migrate list');
}

/** Tells one migration something, and says where it stands then. */
export async function steer(io: Io, options: MigrationOptions, name: string, verb: string, body: object): Promise<void> {
  const client = await clientFor(options, io);
  const status = await client.post<MigrationStatus>(`${migrationPath(name, options.namespace)}/${verb}`, body);
  emit(io, options.output, status, `${migrationHeadline(status)}\nNext: ${status.next}`);
}
