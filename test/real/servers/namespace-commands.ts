import { type ExecFileException, execFile } from 'node:child_process';
import { holdBuildLock } from './build-lock.ts';
import { ownerLives } from './owner.ts';
import { closeReach } from './reach.ts';

/** Removes the namespaces of test processes that are gone; those of others that run now stay. */
export async function sweepStale(): Promise<void> {
  await removeNamespaces((name) => {
    const tag = /^isth-([0-9a-z]+\.[0-9a-z]+)-/.exec(name)?.[1];
    return tag !== undefined && !ownerLives(tag);
  });
}

export async function removeNamespaces(which: (name: string) => boolean): Promise<void> {
  for (const name of (await namespaces()).filter(which)) {
    closeReach(name);
    await ip('netns', 'delete', name).catch(async (error: Error) => {
      // Another test process that sweeps at the same time may have been faster.
      if ((await namespaces()).includes(name)) throw error;
    });
  }
}

export async function namespaces(): Promise<readonly string[]> {
  const names = (await ip('netns', 'list')).split('\n').map((line) => line.split(' ')[0] ?? '');
  return names.filter((name) => name !== '');
}

/** The route is one for the networks of all test processes: it goes with the last, which must not be while another makes its first namespace. */
export async function holdingRoute(act: () => Promise<void>): Promise<void> {
  const lock = await holdBuildLock('route', () => {});
  try {
    await act();
  } finally {
    await lock.release();
  }
}

export function ip(...args: string[]): Promise<string> {
  return run('ip', args);
}

export function run(command: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, [...args], (error: ExecFileException | null, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')} failed: ${stderr.trim() || error.message}`, { cause: error }));
    });
    child.stdin?.end(input);
  });
}
