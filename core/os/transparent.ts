import { setFlag } from './socket-options.ts';

const SOL_IP = 0;
const IP_TRANSPARENT = 19;
const SOL_IPV6 = 41;
const IPV6_TRANSPARENT = 75;

/**
 * Lets a socket take (listening) or use (before bind) addresses that are not this machine's, as TPROXY needs. Needs CAP_NET_ADMIN or CAP_NET_RAW:
 * MeshError INTERNAL with errno 1 without it.
 */
export function setTransparent(fd: number, family: 'ipv4' | 'ipv6'): void {
  if (family === 'ipv4') setFlag(fd, SOL_IP, IP_TRANSPARENT, 'IP_TRANSPARENT');
  else setFlag(fd, SOL_IPV6, IPV6_TRANSPARENT, 'IPV6_TRANSPARENT');
}
