import type { MigrationStatus } from '../../core/admin/index.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io, OutputFormat } from '../io.ts';
import { migrationChanges } from '../text/migration-changes.ts';
import { hasEnded } from '../text/migration-phase.ts';
import { migrationHeadline, migrationText } from '../text/migration-text.ts';

export interface FollowOptions {
  /** Of the API. */
  readonly path: string;
  readonly output: OutputFormat;
  readonly everyMs: number;
  /** Absent: until it ends. */
  readonly timeoutMs?: number;
  /** Earlier runs are over: a replica that has not heard of this one yet is asked again. Absent: any. */
  readonly run?: number;
  /** Redraws the whole status on a terminal; else a line for each change. */
  readonly redraw: boolean;
}

/** What scripts learn of a migration: 0 done; what went back, was aborted or still runs throws. */
export function sayOutcome(status: MigrationStatus): void {
  const { phase, rollback } = status;
  if (phase === 'done') return;
  const why = rollback === null ? '' : `: ${rollback.reason}`;
  if (phase === 'rolled-back') throw new CliError(exitCode.wentBack, 'ROLLED_BACK', `${migrationHeadline(status)}${why}`);
  if (phase === 'aborted') throw new CliError(exitCode.wentBack, 'ABORTED', migrationHeadline(status));
  throw new CliError(exitCode.running, 'RUNNING', migrationHeadline(status));
}

/**
 * Shows a migration until it ends, the time is over or somebody interrupts. A control plane that cannot be reached, or has no leader, is asked
 * again: the migration goes on, or waits, without us.
 */
export async function followMigration(client: ApiClient, io: Io, options: FollowOptions): Promise<MigrationStatus> {
  const { path, everyMs, timeoutMs, run = 0 } = options;
  const started = systemClock.monotonic();
  let last: MigrationStatus | undefined;
  let lost = false;
  for (;;) {
    const status = await client.get<MigrationStatus>(path).catch((error: unknown) => {
      if (!passes(error, io.signal)) throw error;
      if (!lost) io.err(`isthmus: ${(error as CliError).message}; asking again\n`);
      lost = true;
      return undefined;
    });
    if (status !== undefined) lost = false;
    if (status !== undefined && status.run >= run) {
      show(io, options, last, status);
      last = status;
      if (hasEnded(status)) return status;
    }
    const over = timeoutMs !== undefined && systemClock.monotonic() - started >= timeoutMs;
    if (over || !(await pause(everyMs, io.signal))) return last ?? neverSeen(path);
  }
}

function show(io: Io, { output, redraw }: FollowOptions, before: MigrationStatus | undefined, status: MigrationStatus): void {
  const lines = migrationChanges(before, status);
  if (output === 'json') {
    if (lines.length > 0) io.out(`${JSON.stringify(status)}\n`);
  } else if (redraw && io.interactive) {
    // Clears the screen and goes to its top.
    io.out(`\u001b[2J\u001b[H${migrationText(status)}`);
  } else for (const line of lines) io.out(`${line}\n`);
}

/** Whether it may be otherwise in a moment. */
function passes(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted || !(error instanceof CliError)) return false;
  return error.exit === exitCode.unreachable || ['STORE_UNAVAILABLE', 'DEADLINE_EXCEEDED', 'FENCED', 'LIMIT_EXCEEDED'].includes(error.code);
}

function neverSeen(path: string): never {
  const name = path.replace('/v1/migrations/', '');
  throw new CliError(exitCode.unreachable, 'UPSTREAM_UNREACHABLE', `nothing was heard of ${name}: the control plane did not answer`);
}

/** False: interrupted. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await systemClock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (isAborted(error)) return false;
    throw error;
  }
}
