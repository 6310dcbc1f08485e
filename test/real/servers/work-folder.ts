import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ownerLives, ownerTag } from './owner.ts';

const run = promisify(execFile);
const PREFIX = 'isth-';

/** The variable by which every process started for a work folder is found, those that its servers leave behind included. */
export const FOLDER_VARIABLE = 'ISTHMUS_TEST_FOLDER';

let swept: Promise<void> | undefined;

/** Makes a temporary folder for one server. The first call of a process also removes what killed test processes left. */
export async function makeWorkFolder(name: string): Promise<string> {
  swept ??= sweepStale();
  await swept;
  return mkdtemp(join(tmpdir(), `${PREFIX}${ownerTag()}-${name}-`));
}

/** Ends every process that belongs to the folder, unmounts what they mounted in it, and removes it. Idempotent. */
export async function removeWorkFolder(folder: string): Promise<void> {
  killProcessesOf(folder);
  for (const mount of mountsUnder(folder)) await run('umount', ['--lazy', mount]).catch(() => undefined);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Kills (SIGKILL) every process whose environment names the folder. */
export function killProcessesOf(folder: string): void {
  const wanted = `${FOLDER_VARIABLE}=${folder}`;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      if (readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0').includes(wanted)) process.kill(Number(entry), 'SIGKILL');
    } catch {
      // It ended meanwhile, or is another user's.
    }
  }
}

/** Innermost first. */
function mountsUnder(folder: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const points = lines.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${folder}/`));
  return points.sort((a, b) => b.length - a.length);
}

async function sweepStale(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    const tag = /^isth-([0-9a-z]+\.[0-9a-z]+)-/.exec(entry)?.[1];
    if (tag !== undefined && !ownerLives(tag)) await removeWorkFolder(join(tmpdir(), entry)).catch(() => undefined);
  }
}
