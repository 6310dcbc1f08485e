import { readFile } from 'node:fs/promises';

/** Callers that a listener of 127.0.0.1 has not accepted (proc_pid_net(5): rx_queue of state LISTEN). */
export async function waitingAt(port: number): Promise<number> {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of (await readFile('/proc/net/tcp', 'utf8')).split('\n')) {
    const [, local, , state, queues] = line.trim().split(/\s+/);
    if (local === place && state === '0A') return Number.parseInt(queues?.split(':')[1] ?? '0', 16);
  }
  throw new Error(`nobody listens on port ${port}`);
}
