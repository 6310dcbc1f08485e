import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Standard output of one openssl command, as text. */
export async function openssl(...args: readonly string[]): Promise<string> {
  return (await run('openssl', args, { maxBuffer: 1024 * 1024 })).stdout;
}
