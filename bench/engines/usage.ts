import { readFile } from 'node:fs/promises';
import { cpuSecondsOf } from '../data-plane/process-cpu.ts';

/** Linux counts in these, for every program, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

/** CPU seconds so far: of the processes and their children, and of everything on this machine. */
export interface Usage {
  readonly process: number;
  readonly system: number;
}

export async function usageOf(pids: readonly number[]): Promise<Usage> {
  const all = await withChildren(pids);
  const [system, ...each] = await Promise.all([systemSeconds(), ...all.map(cpuSecondsOf)]);
  return { process: each.reduce((sum, seconds) => sum + seconds, 0), system: system ?? 0 };
}

/** Bytes of memory that the processes alone take, shared pages in their share: proc(5), smaps_rollup. */
export async function memoryOf(pids: readonly number[]): Promise<number> {
  let bytes = 0;
  for (const pid of await withChildren(pids)) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
    bytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN) * 1_024;
  }
  return bytes;
}

/** One generation: a server's workers. */
async function withChildren(pids: readonly number[]): Promise<readonly number[]> {
  const children = await Promise.all(pids.map(async (pid) => (await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1')).trim()));
  return [...pids, ...children.flatMap((list) => (list === '' ? [] : list.split(' ').map(Number)))];
}

/** All but idle, waiting, and what other machines took. */
async function systemSeconds(): Promise<number> {
  const stat = await readFile('/proc/stat', 'latin1');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = stat
    .slice(0, stat.indexOf('\n'))
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}
