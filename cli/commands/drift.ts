import type { Command } from 'commander';
import type { Drift } from '../../core/admin/index.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor, type LeafOptions } from '../leaf.ts';
import { driftSummary, driftText } from '../text/drift-text.ts';

interface DriftOptions extends LeafOptions, TargetOptions {
  readonly all?: boolean;
}

export function addDrift(program: Command, io: Io): void {
  apiLeaf(program, 'drift', "which clusters hold each other's objects otherwise than their owners have them, since when, and what to do", [
    'drift',
    'drift --all',
    'drift > /dev/null || echo "clusters differ, or one cannot be asked"',
    'drift --output json | jq \'.objects[] | select(.state == "refused")\'',
  ])
    .addHelpText('after', 'Here 5: something differs, or has several owners; 3: nothing is known to differ, but a cluster cannot be asked.')
    .option('--all', 'every object at every cluster, with its digest, also where it does not differ')
    .action(async (options: DriftOptions) => {
      const client = await clientFor(options, io);
      const drift = await client.get<Drift>(`/v1/drift${options.all === true ? '?all=true' : ''}`);
      emit(io, options.output, drift, driftText(drift));
      if (drift.state === 'drift') throw new CliError(exitCode.differs, 'DRIFT', driftSummary(drift));
      if (drift.state === 'unknown') throw new CliError(exitCode.unreachable, 'DRIFT_UNKNOWN', driftSummary(drift));
    });
}
