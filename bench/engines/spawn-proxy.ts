import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningProxy } from './contract.ts';
import { onProxyCore } from './cores.ts';

const startMs = 60_000;
const stopMs = 10_000;

/** A port that nobody has now; a server that cannot bind port 0 is told it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server in the foreground and waits until it accepts. Rejects with what it said. */
export async function spawnProxy(binary: string, args: readonly string[], port: number): Promise<RunningProxy> {
  const [program, all] = onProxyCore(binary, args);
  const child = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  await once(child, 'spawn');
  const end = performance.now() + startMs;
  while (!(await accepts(port))) {
    if (performance.now() < end && child.exitCode === null) {
      await sleep(20);
      continue;
    }
    await stopChild(child);
    throw new Error(`${binary} did not start: ${said}`);
  }
  return { port, pids: [child.pid ?? 0], stop: () => stopChild(child) };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(late);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Two as one: the mTLS pair. `near` is what callers connect to. */
export function pairOf(near: RunningProxy, far: RunningProxy): RunningProxy {
  const stop = async () => {
    await near.stop();
    await far.stop();
  };
  return { port: near.port, pids: [...near.pids, ...far.pids], ...(far.collect === undefined ? {} : { collect: far.collect }), stop };
}
