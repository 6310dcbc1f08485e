import { readFile } from 'node:fs/promises';

/** Of the sockets of this machine with these local ports: seconds until the kernel asks for their other end, undefined where it will not. */
export async function keepaliveTimers(localPorts: readonly number[]): Promise<readonly (number | undefined)[]> {
  const [, ...rows] = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n');
  return localPorts.map((port) => {
    const fields = rows.map((row) => row.trim().split(/\s+/)).find(([, local, , state]) => state === '01' && portOf(local) === port);
    const [timer, when = ''] = (fields?.[5] ?? '').split(':');
    // proc(5): 02 is the keepalive timer; hundredths of a second.
    return timer === '02' ? Number.parseInt(when, 16) / 100 : undefined;
  });
}

function portOf(address = ''): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}
