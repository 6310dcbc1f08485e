import { readFile } from 'node:fs/promises';

/** Linux counts in these, for every program, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

/** User and system seconds of a process and all its threads so far, from proc(5); a hundredth of a second exact. Linux alone. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  // The name may hold anything, so count from its closing bracket: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
