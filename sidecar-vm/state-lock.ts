import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../core/errors.ts';
import { supervisedVariable } from './supervisor/protocol.ts';

export interface StateLock {
  /** Idempotent. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Clock ticks since boot, Linux alone: tells a process from a later one of the same id, as after a reboot or in a container. */
  readonly startTime: string;
  /** Process that runs it, where it can be told to have another one take over. */
  readonly supervisor?: number;
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
  await writeFile(mine, JSON.stringify(await thisProcess()), { mode: 0o600 });
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

async function thisProcess(): Promise<Holder> {
  const { pid, ppid, env } = process;
  const startTime = (await statOf(pid))?.startTime ?? '';
  return { pid, startTime, ...(env[supervisedVariable] === '1' ? { supervisor: ppid } : {}) };
}

/** Process id of the supervisor of the agent that runs on this state directory; undefined when none does, or nobody supervises it. */
export async function supervisorOf(dir: string): Promise<number | undefined> {
  const pid = await holderOf(dir);
  if (pid === undefined) return undefined;
  const { supervisor } = JSON.parse(await readFile(join(dir, fileName), 'utf8')) as Holder;
  // Whose supervisor was killed has another parent, which a signal is not meant for.
  return supervisor !== undefined && (await statOf(pid))?.parent === supervisor ? supervisor : undefined;
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
  const running = await statOf(holder.pid);
  if (running !== undefined && isOver(running.state)) return undefined;
  return (running?.startTime ?? '') === holder.startTime ? holder.pid : undefined;
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

/** It has ended, and nobody has taken note yet: in a container whose first process is no init, nobody ever may. */
const isOver = (state: string) => state === 'Z' || state === 'X' || state === 'x';

/** Fields 3, 4 and 22 of proc_pid_stat(5); the name in field 2 may hold spaces and parentheses. Undefined where there is none to read. */
async function statOf(pid: number): Promise<{ readonly state: string; readonly parent: number; readonly startTime: string } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
