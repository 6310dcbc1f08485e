import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository-root.ts';

export const crate = join(repositoryRoot, 'gateway/engine/native');
/** What is installed for the soak alone, and what it builds, which takes long. */
export const tools = join(repositoryRoot, 'build/cargo-tools');

/** Options of the nightly compiler with whichever there is. */
export const bootstrap = { RUSTC_BOOTSTRAP: '1' };

/** Resolves with what it printed, both streams; rejects with the end of that when it fails. Runs in the crate's folder. */
export async function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn(command, args, { cwd: crate, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? signal ?? ''));
  });
  const said = chunks.join('');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${said.slice(-6_000)}`);
  return said;
}
