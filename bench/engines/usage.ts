import { readdir, readFile } from 'node:fs/promises';
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

/** Bytes of memory that is no file's, by where it is mapped: proc(5), smaps. */
export async function memoryOf(pids: readonly number[]): Promise<ReadonlyMap<string, number>> {
  const bytes = new Map<string, number>();
  for (const pid of await withChildren(pids)) {
    const smaps = await readFile(`/proc/${pid}/smaps`, 'latin1');
    for (const [, from, mapping = ''] of smaps.matchAll(/^([0-9a-f]+)-([\s\S]*?)^VmFlags/gm)) {
      bytes.set(`${pid} ${from}`, Number(/^Anonymous:\s+(\d+) kB/m.exec(mapping)?.[1] ?? Number.NaN) * 1_024);
    }
  }
  return bytes;
}

/** CPU seconds so far of all threads but the native engine's, which have names: proc(5), schedstat, to the nanosecond. */
export async function besideEngineSeconds(pids: readonly number[]): Promise<number> {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${thread}`;
      if ((await readFile(`${folder}/comm`, 'latin1')).startsWith('isthmus-')) continue;
      nanoseconds += Number((await readFile(`${folder}/schedstat`, 'latin1')).split(' ', 1)[0]);
    }
  }
  return nanoseconds / 1e9;
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
