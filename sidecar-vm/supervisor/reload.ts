import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { holderOf, supervisorOf } from '../state-lock.ts';

const pollMs = 50;

/**
 * Has a new worker take over from the one that runs on this state directory, so that what stands in its files is what runs; resolves when the
 * new one has the state. MeshError CONFLICT where nothing supervises the agent, so that it has to be started again; DEADLINE_EXCEEDED when
 * nobody took over: the one before goes on.
 */
export async function reloadAgent(stateDir: string, deadlineMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const before = await holderOf(stateDir);
  if (before === undefined) throw new MeshError('NOT_FOUND', `no agent runs on ${stateDir}`);
  const supervisor = await supervisorOf(stateDir);
  if (supervisor === undefined) throw new MeshError('CONFLICT', `the agent with pid ${before} runs without isthmus agent --supervise`);
  process.kill(supervisor, 'SIGHUP');
  const deadline = clock.monotonic() + deadlineMs;
  for (;;) {
    await clock.sleep(pollMs, signal);
    const now = await holderOf(stateDir);
    if (now !== undefined && now !== before) return;
    if (clock.monotonic() > deadline) {
      throw new MeshError(
        'DEADLINE_EXCEEDED',
        `nobody took over from the agent with pid ${before} within ${deadlineMs / 1_000} s: its log says why`,
      );
    }
  }
}
