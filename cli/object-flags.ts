import { type Command, InvalidArgumentError } from 'commander';
import type { ObjectName } from '../core/admin/index.ts';
import { appliableKinds, findKinds, type KindName } from '../core/config/index.ts';
import { collect, durationFlag } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { TargetOptions } from './context/target.ts';
import { exitCode } from './exit-codes.ts';
import type { LeafOptions } from './leaf.ts';

export interface ChangeOptions extends LeafOptions, TargetOptions {
  readonly dryRun?: boolean;
  readonly confirmWithin?: number;
  readonly wait?: boolean;
  readonly message?: string;
  readonly ifRevision?: number;
}

export interface FileOptions {
  readonly filename?: string[];
  readonly namespace?: string;
}

/** Of every command that makes a revision. */
export function changeFlags(command: Command): Command {
  return command
    .option('--dry-run', 'check it and say what would change; change nothing')
    .option('--confirm-within <duration>', 'roll back by itself unless isthmus confirm comes within this time', durationFlag)
    .option('--wait', 'with --confirm-within: stay until it is confirmed (exit 0) or rolled back (exit 1)')
    .option('-m, --message <text>', 'why, for isthmus history')
    .option('--if-revision <number>', 'refuse unless this is the newest revision', revisionFlag);
}

export function fileFlags(command: Command): Command {
  return command
    .option('-f, --filename <path>', 'file, folder, or - for standard input; may be repeated', collect)
    .option('-n, --namespace <name>', 'of objects that name none');
}

/** What the requests have of these flags. */
export function changeBody({ dryRun, confirmWithin, message, ifRevision, wait }: ChangeOptions): object {
  // Without a deadline it would be in force for good, and nothing to wait for.
  if (wait === true && confirmWithin === undefined)
    throw new CliError(
      exitCode.invalid,
      'INVALID_INPUT',
      '--wait needs --confirm-within',
      'nothing was changed; give --confirm-within 5m, or leave out --wait',
    );
  return {
    ...(dryRun === true ? { dryRun } : {}),
    ...(confirmWithin === undefined ? {} : { confirmWithinMs: confirmWithin }),
    ...(message === undefined ? {} : { message }),
    ...(ifRevision === undefined ? {} : { ifRevision }),
  };
}

export function revisionFlag(text: string): number {
  if (!/^[0-9]{1,12}$/.test(text)) throw new InvalidArgumentError('It must be the number of a revision; see isthmus history.');
  return Number(text);
}

export function kindArgument(text: string): readonly KindName[] {
  const found = findKinds(text);
  if (found.length > 0) return found;
  const known = [...new Set(appliableKinds.map((k) => k.kind))].join(', ');
  throw new InvalidArgumentError(`It must be one of ${known}, or a plural or short name of theirs.`);
}

/** NAME or NAMESPACE/NAME. */
export function objectName(kinds: readonly KindName[], text: string, namespace = 'default'): ObjectName {
  const [first = '', second] = text.split('/');
  const [only] = kinds;
  const group = kinds.length === 1 && only !== undefined ? { group: only.group } : {};
  return { kind: only?.kind ?? '', ...group, namespace: second === undefined ? namespace : first, name: second ?? first };
}
