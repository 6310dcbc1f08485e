import { readFileSync } from 'node:fs';

/**
 * A tag that names this process for as long as the machine runs: its id and its start time, as ids are used again. It goes
 * into the names of what outlives a killed test (folders, network namespaces), so that the next test finds what nobody owns.
 */
export function ownerTag(): string {
  return `${process.pid.toString(36)}.${startTime(process.pid)?.toString(36) ?? '0'}`;
}

/** True while the process that made `tag` runs. */
export function ownerLives(tag: string): boolean {
  const [pid, start] = tag.split('.').map((part) => Number.parseInt(part, 36));
  return pid !== undefined && start !== undefined && startTime(pid) === start;
}

/** Clock ticks after boot at which a process started (proc(5), field 22 of stat); undefined when there is none. */
function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}
