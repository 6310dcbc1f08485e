import { addressText } from './addresses.ts';
import type { TcpEnd } from './contract.ts';
import { callFailed } from './libc.ts';
import { getOption } from './socket-options.ts';

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** Of netfilter, for both families. */
const SO_ORIGINAL_DST = 80;
const ENOENT = 2;
const ENOPROTOOPT = 92;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const unknown: readonly number[] = [ENOENT, ENOPROTOOPT, EINVAL, EOPNOTSUPP];

/**
 * Where an accepted TCP connection was going before netfilter redirected it. Undefined where netfilter does not follow it; where it follows it and
 * did not change it, that is the address at which it was accepted. MeshError UNSUPPORTED; INTERNAL when `fd` is no socket.
 */
export function originalDestination(fd: number): TcpEnd | undefined {
  // IPv4 first: a socket of both families holds IPv4 connections too, which netfilter knows as IPv4.
  const v4 = getOption(fd, SOL_IP, SO_ORIGINAL_DST, 16);
  if ('bytes' in v4) return { address: addressText(v4.bytes.subarray(4, 8)), port: v4.bytes.readUInt16BE(2) };
  if (!unknown.includes(v4.errno)) throw callFailed('getsockopt(SO_ORIGINAL_DST)', v4.errno);
  const v6 = getOption(fd, SOL_IPV6, SO_ORIGINAL_DST, 28);
  if ('bytes' in v6) return { address: addressText(v6.bytes.subarray(8, 24)), port: v6.bytes.readUInt16BE(2) };
  if (!unknown.includes(v6.errno)) throw callFailed('getsockopt(IP6T_SO_ORIGINAL_DST)', v6.errno);
  return undefined;
}
