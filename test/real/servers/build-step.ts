import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface BuildStep {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** File that collects the output of all steps of a build. */
  readonly logFile: string;
}

const NEEDS: Readonly<Record<string, string>> = {
  go: 'Go 1.26 or newer',
  cc: 'a C compiler (Debian: gcc libc6-dev)',
  'apt-get': 'apt of Debian or a relative of it: the server comes from its archive, and `apt-get update` must have run',
  'dpkg-deb': 'dpkg of Debian or a relative of it',
  python3: 'Python 3 with its venv module',
};

/** Runs one command of a build. Throws with the end of the log when it fails, or with what to install when it is missing. */
export async function runBuildStep(step: BuildStep): Promise<void> {
  const log = openSync(step.logFile, 'a');
  try {
    const ended = await new Promise<string>((resolve, reject) => {
      const child = spawn(step.command, step.args, {
        cwd: step.cwd,
        env: { ...process.env, ...step.env },
        stdio: ['ignore', log, log],
      });
      child.once('error', (error: NodeJS.ErrnoException) => reject(explainSpawn(step.command, error)));
      child.once('exit', (code, signal) => resolve(signal ?? String(code)));
    });
    if (ended === '0') return;
    throw new Error(`${step.command} ${step.args.join(' ')} ended with ${ended}; the end of its log:\n${await tail(step.logFile, 40)}`);
  } finally {
    closeSync(log);
  }
}

/** The last `lines` lines of a text file; empty when it cannot be read. */
export async function tail(file: string, lines: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

function explainSpawn(command: string, error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return error;
  const need = NEEDS[command] ?? command;
  return new Error(`${command} is not on PATH: the real-server tests need ${need}. Install it and run them again.`);
}
