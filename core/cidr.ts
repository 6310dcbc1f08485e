import { BlockList, isIP } from 'node:net';

/** Whether an IP is in one of the CIDRs (or equal to a plain IP among them). An IPv4 address mapped into IPv6 is that IPv4 address. */
export function inCidrs(ip: string, cidrs: readonly string[]): boolean {
  const plain = plainIp(ip);
  const family = isIP(plain);
  if (family === 0) return false;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    const version = isIP(address);
    if (version === 0) continue;
    const length = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
    if (!Number.isInteger(length) || length < 0 || length > (version === 4 ? 32 : 128)) continue;
    list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
  }
  return list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}

function plainIp(ip: string): string {
  return ip.startsWith('::ffff:') && isIP(ip.slice(7)) === 4 ? ip.slice(7) : ip;
}

export function isCidr(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}
