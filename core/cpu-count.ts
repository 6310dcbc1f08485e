import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Of cgroup v2, as a container sees its own: `QUOTA PERIOD` in µs, or `max PERIOD`. A unit's is elsewhere, and not looked for. */
const quotaFile = '/sys/fs/cgroup/cpu.max';

/** How many threads of this process can run at once, at least 1: CPUs that it may use, or what its container may take of them, where that is less. */
export function cpuCount(cpus = availableParallelism(), quota = readQuota()): number {
  const [, most, period] = /^(\d+) (\d+)\s*$/.exec(quota) ?? [];
  const share = most === undefined || Number(period) === 0 ? Number.POSITIVE_INFINITY : Math.ceil(Number(most) / Number(period));
  return Math.max(1, Math.min(cpus, share));
}

/** Empty where there is none, as outside Linux. */
function readQuota(): string {
  try {
    return readFileSync(quotaFile, 'utf8');
  } catch {
    return '';
  }
}
