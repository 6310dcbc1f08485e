import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Keeps a process with all its threads on one CPU, so that what is measured does not share it with the load and the apps behind it.
 * The returned function undoes it. Undefined: there is no taskset, or no other CPU.
 */
export async function pin(pid: number, cpu: 0 | 1): Promise<(() => Promise<void>) | undefined> {
  if (availableParallelism() < 2) return undefined;
  try {
    const { stdout } = await run('taskset', ['-p', '-c', String(pid)]);
    const before = stdout.slice(stdout.lastIndexOf(':') + 1).trim();
    await run('taskset', ['-a', '-p', '-c', String(cpu), String(pid)]);
    return async () => void (await run('taskset', ['-a', '-p', '-c', before, String(pid)]));
  } catch {
    return undefined;
  }
}
