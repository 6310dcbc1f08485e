import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the compiled command as a child process, with nothing of this process's environment that could matter to it. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  const { PATH = '' } = process.env;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [main, ...args], { env: { PATH, HOME: '/nonexistent', ...env }, timeout: 30_000 }, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, out, err });
      else reject(error);
    });
  });
}
