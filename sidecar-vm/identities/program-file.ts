import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, readlink, stat } from 'node:fs/promises';

export interface ProgramFile {
  /** As this process sees it; ends with ` (deleted)` when it was replaced under the running program. */
  readonly path: string;
  /** Absent where nobody asked. */
  readonly sha256?: string;
}

/** Digests of files that have not changed. */
const digests = new Map<string, string>();
const maxDigests = 256;

/**
 * The file that a process runs. Undefined when it has gone, when its id has passed to another process meanwhile, or when we may not look (other
 * users' programs need CAP_SYS_PTRACE). `since`: clock ticks since boot by which it must have been running.
 */
export async function programFile(pid: number, since: number, withDigest: boolean, proc = '/proc'): Promise<ProgramFile | undefined> {
  try {
    const before = await startTicks(pid, proc);
    if (before === undefined || before > since) return undefined;
    const link = `${proc}/${pid}/exe`;
    const path = await readlink(link);
    const sha256 = withDigest ? await digestOf(link) : undefined;
    if ((await startTicks(pid, proc)) !== before) return undefined;
    return { path, ...(sha256 === undefined ? {} : { sha256 }) };
  } catch {
    return undefined;
  }
}

/** Clock ticks since boot, now. */
export async function ticksNow(proc = '/proc'): Promise<number> {
  const seconds = Number((await readFile(`${proc}/uptime`, 'utf8')).split(' ')[0]);
  // USER_HZ is 100 on every Linux that Node runs on; one more, because both are rounded.
  return Math.ceil(seconds * 100) + 1;
}

/** Field 22 of proc(5) stat; the name in field 2 may hold spaces and parentheses. */
async function startTicks(pid: number, proc: string): Promise<number | undefined> {
  const text = await readFile(`${proc}/${pid}/stat`, 'utf8');
  const field = text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  return field === undefined ? undefined : Number(field);
}

async function digestOf(link: string): Promise<string> {
  const { dev, ino, size, mtimeMs, ctimeMs } = await stat(link);
  const key = [dev, ino, size, mtimeMs, ctimeMs].join();
  const known = digests.get(key);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for await (const piece of createReadStream(link)) hash.update(piece as Buffer);
  const digest = hash.digest('hex');
  if (digests.size >= maxDigests) digests.clear();
  digests.set(key, digest);
  return digest;
}
