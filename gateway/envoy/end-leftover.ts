import type { Clock } from '../../core/clock.ts';
import type { EnvoyAdmin } from './admin-client.ts';
import { type EnvoyProcess, stillRuns } from './process-file.ts';

export interface LeftoverOptions {
  readonly process: EnvoyProcess;
  readonly admin: EnvoyAdmin;
  readonly drainMs: number;
  readonly clock: Clock;
}

const pollMs = 100;
const killAfterMs = 3_000;

/** Drains and ends an Envoy that is not our child; signalled only while its id is its own. Resolves when it is gone. */
export async function endLeftover({ process: leftover, admin, drainMs, clock }: LeftoverOptions): Promise<void> {
  await admin.post('/drain_listeners?graceful').catch(() => undefined);
  await clock.sleep(Math.min(drainMs, 5_000));
  const deadline = clock.monotonic() + killAfterMs;
  while (await stillRuns(leftover)) {
    process.kill(leftover.pid, clock.monotonic() > deadline ? 'SIGKILL' : 'SIGTERM');
    await clock.sleep(pollMs);
  }
}
