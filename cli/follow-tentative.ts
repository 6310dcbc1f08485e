import type { ChangeResult, RevisionDetail } from '../core/admin/index.ts';
import { isAborted } from '../core/lifecycle.ts';
import { systemClock } from '../core/system-clock.ts';
import type { ApiClient } from './api-client.ts';
import { CliError } from './cli-error.ts';
import { exitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { age } from './text/table.ts';

const askEveryMs = 1000;
/** The control plane needs a moment to roll back. */
const graceMs = 30_000;

/** Stays until a tentative revision is confirmed; fails when it is rolled back. Counts down where somebody watches. */
export async function followTentative(client: ApiClient, io: Io, { revision, confirmBy }: ChangeResult): Promise<void> {
  if (revision === undefined || confirmBy === undefined) return;
  const deadline = Date.parse(confirmBy);
  for (;;) {
    const { state } = await client.get<RevisionDetail>(`/v1/objects/revisions/${revision}`);
    const left = deadline - systemClock.now();
    if (io.interactive)
      io.err(`\r\u001b[K${state === 'tentative' ? `revision ${revision}: ${age(Math.max(0, left))} left to confirm` : ''}`);
    if (state === 'confirmed') return io.err(`Revision ${revision} is confirmed.\n`);
    if (state === 'rolled-back')
      throw new CliError(exitCode.failed, 'DEADLINE_EXCEEDED', `revision ${revision} was rolled back`, 'see isthmus history');
    if (left < -graceMs)
      throw new CliError(
        exitCode.failed,
        'DEADLINE_EXCEEDED',
        `revision ${revision} should have been rolled back by now`,
        'see isthmus history',
      );
    await systemClock.sleep(askEveryMs, io.signal).catch((error: unknown) => {
      if (!isAborted(error)) throw error;
      throw new CliError(
        exitCode.failed,
        'ABORTED',
        `interrupted: revision ${revision} still waits to be confirmed`,
        'isthmus confirm keeps it',
      );
    });
  }
}
