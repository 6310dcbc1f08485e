import type { RegisteredWorkload } from './record.ts';

/** `IP:PORT` where others find it. */
export function placeOf({ addresses, inboundPort }: Pick<RegisteredWorkload, 'addresses' | 'inboundPort'>): string {
  const [address = ''] = addresses;
  return address.includes(':') ? `[${address}]:${inboundPort}` : `${address}:${inboundPort}`;
}

/**
 * Why a workload's endpoints are not published; undefined: they are. The address that its agent is seen from is its own. Any other one is
 * a claim until somebody has found it there. Pure.
 */
export function withheldFor(workload: RegisteredWorkload): string | undefined {
  const { seenFrom, reach, tunnel } = workload;
  // Nobody is sent to the address of one behind a NAT.
  if (tunnel !== undefined) return undefined;
  if (seenFrom === undefined || workload.addresses[0] === seenFrom) return undefined;
  if (reach?.place !== placeOf(workload)) return `it is seen from ${seenFrom}, and its address has not been proven yet`;
  return reach.trusted ? undefined : `it is seen from ${seenFrom}, and its address is not proven: ${reach.reason}`;
}
