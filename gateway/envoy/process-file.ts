import { readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';

const schema = z.object({
  pid: z.int().positive(),
  /** Clock ticks since boot: tells a process from a later one of the same id. */
  startTime: z.string().min(1),
  /** Envoy's count of hot restarts. */
  epoch: z.int().min(0),
});

/** The Envoy that was started last on a state directory. */
export type EnvoyProcess = z.output<typeof schema>;

/** The Envoy that an agent before us left running, as one that was killed does; undefined: there is none. Linux alone knows. */
export async function leftRunning(path: string): Promise<EnvoyProcess | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const known = schema.parse(JSON.parse(text));
    return (await stillRuns(known)) ? known : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is this process still, and not a later one of its id. */
export async function stillRuns({ pid, startTime }: EnvoyProcess): Promise<boolean> {
  return (await startTimeOf(pid)) === startTime;
}

export async function rememberProcess(path: string, pid: number, epoch: number): Promise<void> {
  const startTime = await startTimeOf(pid);
  if (startTime !== undefined) await writeOwnerOnly(path, JSON.stringify({ pid, startTime, epoch }));
}

export async function forgetProcess(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Field 22 of proc(5) stat; the name in field 2 may hold spaces and parentheses. A zombie runs no more. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
