import { BlockList, isIP } from 'node:net';

/** Rules are immutable, so each list is compiled once. */
const compiled = new WeakMap<readonly string[], BlockList>();

/** Entries that are no CIDR allow nobody. */
export function sourceAllowed(allow: readonly string[] | 'any', address: string): boolean {
  if (allow === 'any') return true;
  const family = isIP(address);
  if (family === 0) return false;
  let list = compiled.get(allow);
  if (list === undefined) {
    list = compile(allow);
    compiled.set(allow, list);
  }
  return list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

function compile(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix = ''] = cidr.split('/');
    const family = isIP(network);
    const length = prefix === '' ? (family === 6 ? 128 : 32) : Number(prefix);
    if (family === 0 || !Number.isInteger(length) || length < 0 || length > (family === 6 ? 128 : 32)) continue;
    list.addSubnet(network, length, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
