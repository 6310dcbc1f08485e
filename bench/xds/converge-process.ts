import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const readyMs = 60_000;
const stopMs = 10_000;
const run = promisify(execFile);
const cli = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

/** What a server of this case is started by. Its output goes to `NAME.log` in `dir`, the caller's to remove. */
export interface ProcessBrief {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly dir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Asked until it is true; a rejection counts as not yet. */
  ready(): Promise<boolean>;
}

/** Ends it with SIGTERM, after 10 s with SIGKILL. Resolves when it is gone. */
export type Stop = () => Promise<void>;

/** Resolves once it is ready. Rejects with the end of its log when it ends before or takes a minute; nothing is left running then. */
export async function startProcess(brief: ProcessBrief): Promise<Stop> {
  const logFile = join(brief.dir, `${brief.name}.log`);
  const log = await open(logFile, 'a', 0o600);
  const child = spawn(brief.command, brief.args, { stdio: ['ignore', log.fd, log.fd], env: { ...process.env, ...brief.env } });
  try {
    await once(child, 'spawn');
    await waitFor(`${brief.name} to be ready`, () => hasEnded(child) || brief.ready());
    if (hasEnded(child)) throw new Error(`${brief.name} ended with ${child.exitCode ?? child.signalCode}`);
    return () => stop(child);
  } catch (error) {
    await stop(child);
    const said = (await readFile(logFile, 'utf8')).slice(-2_000);
    throw new Error(`${brief.name} did not start: ${said}`, { cause: error });
  } finally {
    await log.close();
  }
}

/** Rejects after a minute. A rejection of `is` counts as not yet. */
export async function waitFor(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + readyMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await is()) return;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new Error(`waited ${readyMs} ms for ${what}`, { cause: last });
}

/** Standard output. Rejects on any exit but 0. */
export async function output(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await run(command, [...args], { env: { ...process.env, ...env } })).stdout;
}

/** The command line of `isthmus` with these arguments. */
export function isthmus(...args: string[]): [command: string, args: string[]] {
  return [process.execPath, [cli, ...args]];
}

/** Ports of loopback that nobody listens on now. */
export async function freePorts<const K extends string>(...names: readonly K[]): Promise<Record<K, number>> {
  const servers = await Promise.all(
    names.map(async (name) => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      return { name, server, port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
    }),
  );
  await Promise.all(servers.map(({ server }) => once(server.close(), 'close')));
  return Object.fromEntries(servers.map(({ name, port }) => [name, port])) as Record<K, number>;
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(late);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
