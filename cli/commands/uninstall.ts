import { type Command, Option } from 'commander';
import type { UninstallPlan, UninstallResult } from '../../core/admin/index.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

interface UninstallOptions extends LeafOptions, TargetOptions {
  readonly plan?: boolean;
  readonly confirm?: string;
}

export function addUninstall(program: Command, io: Io): void {
  apiLeaf(program, 'uninstall', 'remove what this cluster has written into registries, or say what that would be', [
    'uninstall --plan',
    'uninstall --confirm east',
  ])
    .option('--plan', 'say what would be removed, and who would notice; change nothing')
    .addOption(new Option('--confirm <cluster>', "the cluster's name: remove it all").conflicts('plan'))
    .action(async (options: UninstallOptions) => {
      if (options.plan === true) return callAndEmit(io, options, (c) => c.get<UninstallPlan>('/v1/uninstall-plan'), planText);
      const { confirm: cluster } = options;
      if (cluster === undefined)
        throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'say what to do', 'give --plan first, then --confirm CLUSTER');
      await callAndEmit(io, options, (c) => c.post<UninstallResult>('/v1/uninstall', { cluster }), resultText);
    });
}

function planText({ steps, warnings }: UninstallPlan): string {
  if (steps.length === 0) return 'Nothing was written outside the state folder.';
  const lines = steps.flatMap((s, i) => [`${i + 1}. ${s.where}: ${s.action}`, ...s.subjects.map((subject) => `   - ${subject}`)]);
  return [...lines, ...warnings.map((w) => `Warning: ${w}`)].join('\n');
}

function resultText({ removed, conflicts }: UninstallResult): string {
  return [`Removed ${removed} records.`, ...conflicts.map((c) => `Left alone: ${c}`)].join('\n');
}
