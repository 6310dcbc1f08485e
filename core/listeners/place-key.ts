import type { ListenPlace } from './contract.ts';

/** Names a place from one process to the next. */
export function placeKey(kind: 'tcp' | 'udp', { name, address, port }: ListenPlace): string {
  return port === 0 ? `${kind} ${address} 0 ${name}` : `${kind} ${address} ${port}`;
}
