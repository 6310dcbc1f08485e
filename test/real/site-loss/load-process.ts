import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Host, inNamespace } from '../servers/index.ts';
import type { Load, LoadLine } from './samples.ts';

/** The load generator, as a process of a host. */
export interface RunningLoad {
  /** One for each second until now. */
  readonly seconds: readonly LoadLine[];
  /** Asks nothing more, waits for what is under way, and tells all. */
  finish(): Promise<Load>;
  /** Idempotent. */
  kill(): Promise<void>;
}

export function startLoad(host: Host, url: string, { gets, posts }: { readonly gets: number; readonly posts: number }): RunningLoad {
  const program = fileURLToPath(new URL('./load.js', import.meta.url));
  const [command, args] = inNamespace(host.netns, process.execPath, [program, url, String(gets), String(posts)]);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const seconds: LoadLine[] = [];
  let all: Load | undefined;
  const lines = createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as LoadLine | Load;
    if ('samples' in said) all = said;
    else seconds.push(said);
  });
  const read = once(lines, 'close');
  return {
    seconds,
    finish: async () => {
      child.stdin.end();
      await Promise.all([exited, read]);
      if (all === undefined) throw new Error('the load generator ended without a word');
      return all;
    },
    kill: async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
