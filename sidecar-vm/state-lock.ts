import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../core/errors.ts';

export interface StateLock {
  /** Idempotent. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Clock ticks since boot, Linux alone: tells a process from a later one of the same id, as after a reboot or in a container. */
  readonly startTime: string;
}

const heldHere = new Set<string>();
const fileName = 'agent.lock';

/**
 * One agent for one state directory: two would present one identity and fence each other. MeshError CONFLICT names the process that
 * holds it. What a killed agent left behind does not count.
 */
export async function lockStateDir(dir: string): Promise<StateLock> {
  const path = join(dir, fileName);
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, JSON.stringify({ pid: process.pid, startTime: await startTimeOf(process.pid) }), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await linked(mine, path)) {
        heldHere.add(path);
        return { release: () => release(path) };
      }
      const holder = await holderOf(dir);
      if (holder !== undefined) {
        throw new MeshError(
          'CONFLICT',
          `the agent with pid ${holder} runs on ${dir} already: stop it, or give this one a --state-dir of its own`,
        );
      }
      // Renamed, not removed: of two that find the same leftover only one takes it away.
      await rename(path, `${mine}.stale`).catch(() => undefined);
      await rm(`${mine}.stale`, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
  throw new MeshError('CONFLICT', `another agent is starting on ${dir}`, { retryable: true });
}

/** Process id of the agent that runs on this state directory; undefined when none does. */
export async function holderOf(dir: string): Promise<number | undefined> {
  const path = join(dir, fileName);
  let holder: Holder;
  try {
    holder = JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
  if (holder.pid === process.pid) return heldHere.has(path) ? holder.pid : undefined;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  return (await startTimeOf(holder.pid)) === holder.startTime ? holder.pid : undefined;
}

async function release(path: string): Promise<void> {
  if (heldHere.delete(path)) await rm(path, { force: true });
}

/** A link appears with its content, or not at all. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Field 22 of proc(5) stat; the name in field 2 may hold spaces and parentheses. */
async function startTimeOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
