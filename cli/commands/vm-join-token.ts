import { isIPv6 } from 'node:net';
import type { JoinToken } from '../../core/identity/index.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { Listen } from './vm-join-flags.ts';
import type { ServiceFlags } from './vm-join-services.ts';

const inboundPort = 15_006;
const [everyIpv4, everyIpv6] = ['0.0.0.0', '::'];

export interface Place {
  /** An IP, or `auto`. */
  readonly address: string;
  readonly inbound: Listen;
}

/** What the token says that the machine serves, as --service would. */
export function tokenServices({ services = [] }: JoinToken): ServiceFlags['service'] {
  return services.map(({ namespace, name, port, protocol }) => ({ service: `${namespace}/${name}`, port, protocol }));
}

/**
 * What `--address` says; without it, whatever address this machine has towards its control plane at each time, or the one of now where
 * `--inbound` is of one address. Sends nothing.
 */
export async function placeOf(flags: { readonly address?: string; readonly inbound?: Listen }, token: JoinToken): Promise<Place> {
  const { address, inbound } = flags;
  if (address !== undefined && address !== 'auto') return { address, inbound: inbound ?? { address, port: inboundPort } };
  const found = await addressNow(token);
  if (inbound !== undefined) {
    const follows = address === 'auto' || inbound.address === everyIpv4 || inbound.address === everyIpv6;
    return { address: follows ? 'auto' : found, inbound };
  }
  return { address: 'auto', inbound: { address: isIPv6(found) ? everyIpv6 : everyIpv4, port: inboundPort } };
}

async function addressNow({ addresses }: JoinToken): Promise<string> {
  const { addressTowards } = await import('../../sidecar-vm/main.ts');
  const address = await addressTowards(addresses);
  if (address !== undefined) return address;
  const next = 'name it with --address';
  throw new CliError(
    exitCode.unreachable,
    'PEER_UNREACHABLE',
    `no route to ${addresses.join(', ')}, so this machine's address is not known`,
    next,
  );
}
