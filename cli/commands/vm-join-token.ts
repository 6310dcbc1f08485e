import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { JoinToken } from '../../core/identity/index.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { ServiceFlags } from './vm-join-services.ts';

/** What the token says that the machine serves, as --service would. */
export function tokenServices({ services = [] }: JoinToken): ServiceFlags['service'] {
  return services.map(({ namespace, name, port, protocol }) => ({ service: `${namespace}/${name}`, port, protocol }));
}

/** The address that this machine has towards its control plane: what others of that network dial, unless something translates it. Sends nothing. */
export async function addressTowards({ addresses }: JoinToken): Promise<string> {
  for (const target of addresses) {
    const colon = target.lastIndexOf(':');
    const host = target.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    const address = await sourceTowards(host, Number(target.slice(colon + 1)));
    if (address !== undefined) return address;
  }
  const next = 'name it with --address';
  throw new CliError(
    exitCode.unreachable,
    'PEER_UNREACHABLE',
    `no route to ${addresses.join(', ')}, so this machine's address is not known`,
    next,
  );
}

/** Connecting a datagram socket asks the kernel for the route, and for the address that goes with it. */
function sourceTowards(host: string, port: number): Promise<string | undefined> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  return new Promise<string | undefined>((resolve) => {
    socket.once('error', () => resolve(undefined));
    socket.connect(port, host, () => resolve(socket.address().address));
  }).finally(() => socket.close());
}
