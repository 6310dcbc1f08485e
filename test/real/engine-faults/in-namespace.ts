import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs a program beside this file in a network of its own, where these settings of /proc/sys/net hold. Resolves with what it printed; rejects with what it said when it fails. */
export async function inOwnNetwork(
  program: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
  timeout: number,
): Promise<string> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const set = Object.entries(settings).map(([name, value]) => `echo '${value}' > /proc/sys/net/${name}`);
  const script = ['ip link set lo up', ...set, 'exec "$@"'].join(' && ');
  const command = ['-n', 'bash', '--norc', '-c', script, 'bash', process.execPath, '--enable-source-maps', path, ...args];
  const { stdout } = await promisify(execFile)('unshare', command, { timeout });
  return stdout;
}
