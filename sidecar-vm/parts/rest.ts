import type { Clock } from '../../core/clock.ts';
import { giveBackMemory } from '../../core/os/index.ts';

/** By then a process has what it starts with, and nobody waits for it. */
const settledMs = 15_000;
/** Of a core: whoever uses more has something to do. */
const restingShare = 0.03;
/** What has to have come together before it is worth tens of ms; what is used at rest comes back soon after each time, and is less. */
const worthBytes = 24 * 1024 * 1024;

/** What a process takes, for tests to say. */
export interface ProcessUse {
  /** ms of CPU since it began. */
  cpuMs(): number;
  residentBytes(): number;
  giveBack(): void;
}

const own: ProcessUse = {
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  residentBytes: () => process.memoryUsage.rss(),
  giveBack: giveBackMemory,
};

/**
 * Gives back what the start took, most of which is garbage soon after and stays in memory unless somebody collects it; and from then on what work took,
 * once that is over. Until `signal` aborts.
 */
export async function giveBackAtRest(clock: Clock, signal: AbortSignal, use: ProcessUse = own): Promise<void> {
  let left = 0;
  let cpuMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const at = clock.monotonic();
    await clock.sleep(settledMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    const now = use.cpuMs();
    const resting = left === 0 || now - cpuMs < restingShare * (clock.monotonic() - at);
    if (resting && use.residentBytes() - left > worthBytes) {
      use.giveBack();
      left = use.residentBytes();
    }
    cpuMs = use.cpuMs();
  }
}
