import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/**
 * The IP that this machine has towards the first of these `HOST:PORT` that it has a route to: the one that its connections there come from.
 * Undefined where it has none. Sends nothing, but that names are looked up.
 */
export async function addressTowards(targets: readonly string[]): Promise<string | undefined> {
  for (const target of targets) {
    const colon = target.lastIndexOf(':');
    const host = target.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    const address = await sourceTowards(host, Number(target.slice(colon + 1)));
    if (address !== undefined) return address;
  }
  return undefined;
}

/** Connecting a datagram socket asks the kernel for the route, and for the address that goes with it. */
function sourceTowards(host: string, port: number): Promise<string | undefined> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  return new Promise<string | undefined>((resolve) => {
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => resolve(socket.address().address));
    // Without a callback, which would be called for failures as well.
    socket.connect(port, host);
  }).finally(() => socket.close());
}
