import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeOwnerOnly } from '../../core/identity/index.ts';
import type { GatewayUnderTest } from './contract.ts';

const startMs = 20_000;

/** ISTHMUS_ENVOY, or where the project's servers are kept; undefined where there is none. */
export async function findEnvoy(): Promise<string | undefined> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const path = process.env['ISTHMUS_ENVOY'] ?? join(cache, 'isthmus-servers/envoy-1.40.0/bin/envoy');
  return access(path).then(
    () => path,
    () => undefined,
  );
}

/**
 * One worker thread, as the gateway has one. Rejects when it does not come up, with what it said. `dir` is the caller's to remove. `placed`: the
 * command that runs a program where it is to run; as it is by default.
 */
export async function startEnvoy(
  binary: string,
  dir: string,
  bootstrap: object,
  placed: (binary: string, args: readonly string[]) => readonly [string, readonly string[]] = (...command) => command,
): Promise<GatewayUnderTest> {
  const config = join(dir, 'envoy.json');
  const adminFile = join(dir, 'admin');
  await writeOwnerOnly(config, JSON.stringify(bootstrap));
  const args = ['-c', config, '--disable-hot-restart', '--concurrency', '1', '-l', 'error', '--admin-address-path', adminFile];
  const [program, all] = placed(binary, args);
  const child = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  try {
    await once(child, 'spawn');
    const port = await listenerPort(child, adminFile);
    return { pid: child.pid ?? 0, port, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw new Error(`Envoy did not start: ${said}`, { cause: error });
  }
}

async function listenerPort(child: ChildProcess, adminFile: string): Promise<number> {
  const end = performance.now() + startMs;
  while (performance.now() < end && child.exitCode === null) {
    const admin = await readFile(adminFile, 'utf8').catch(() => '');
    const port = admin === '' ? undefined : await askAdmin(admin.trim()).catch(() => undefined);
    if (port !== undefined) return port;
    await sleep(50);
  }
  throw new Error(`no listener within ${startMs} ms`);
}

async function askAdmin(address: string): Promise<number | undefined> {
  const ready = await fetch(`http://${address}/ready`);
  if (ready.status !== 200) return undefined;
  const response = await fetch(`http://${address}/listeners?format=json`);
  const body = (await response.json()) as {
    listener_statuses?: { local_address?: { socket_address?: { port_value?: number } } }[];
  };
  return body.listener_statuses?.[0]?.local_address?.socket_address?.port_value;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
