import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** How many descriptors a process has open. */
export async function descriptorsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** So many bytes of address space more than it has, and no more (RLIMIT_AS), from now on. */
export async function allowAddressSpace(pid: number, more: number): Promise<void> {
  const mapped = Number(/^VmSize:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
  await promisify(execFile)('prlimit', ['--pid', String(pid), `--as=${mapped + more}:`]);
}

/** So many descriptors and no more (RLIMIT_NOFILE), from now on. */
export async function allowDescriptors(pid: number, most: number): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(pid), `--nofile=${most}:`]);
}
