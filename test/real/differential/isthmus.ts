import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const cli = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));

export const trustDomain = 'differential.test';

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `isthmus ARGS` to its end; one that is still there after 60 s is killed and counts as failed. */
export function runIsthmus(args: readonly string[], env: Readonly<Record<string, string>>): Promise<CliRun> {
  const options = { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr: stderr.trim() || (error?.message ?? '') });
    });
  });
}
