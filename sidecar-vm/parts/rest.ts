import type { Clock } from '../../core/clock.ts';
import { giveBackMemory } from '../../core/os/index.ts';

/** By then an agent has what it starts with, and nobody waits for it. */
const settledMs = 15_000;

/** Most of what a start takes is garbage soon after, and stays in memory unless somebody collects it. Once; earlier when `signal` aborts. */
export async function restAfterStart(clock: Clock, signal: AbortSignal): Promise<void> {
  await clock.sleep(settledMs, signal).catch(() => undefined);
  if (!signal.aborted) giveBackMemory();
}
