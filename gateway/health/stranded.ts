import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';

/** What this machine answers to, loopback left out. */
export function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)));
}

/** Whether a connection was made from an address that this machine has no more: nothing comes back to it, and nothing says so. Pure. */
export function isStranded({ localAddress }: Pick<Socket, 'localAddress'>, own: ReadonlySet<string>): boolean {
  const [address = ''] = (localAddress ?? '').replace(/^::ffff:/i, '').split('%');
  if (address === '' || address.startsWith('127.') || address === '::1') return false;
  return !own.has(address);
}
