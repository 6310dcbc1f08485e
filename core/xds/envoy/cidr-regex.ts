import { isIPv4 } from 'node:net';

/**
 * ADDRESS:PORT of Envoy's expressions, for an address in a block; undefined: no expression says that, as IPv6 writes zeros in several
 * ways. RE2, the whole text. Pure.
 */
export function addressRegex(cidr: string): string | undefined {
  const [address = '', bits = ''] = cidr.split('/');
  const inner = isIPv4(address) ? ipv4(address, Number(bits)) : ipv6(address, Number(bits));
  if (inner === undefined) return undefined;
  return isIPv4(address) ? `${inner}:[0-9]+` : `\\x5b${inner}\\x5d:[0-9]+`;
}

function ipv4(address: string, bits: number): string {
  return address
    .split('.')
    .map((octet, i) => {
      const fixed = Math.min(8, Math.max(0, bits - 8 * i));
      if (fixed === 0) return '[0-9]+';
      const size = 1 << (8 - fixed);
      const first = Number(octet) - (Number(octet) % size);
      return `(?:${Array.from({ length: size }, (_, n) => first + n).join('|')})`;
    })
    .join('\\.');
}

function ipv6(address: string, bits: number): string | undefined {
  if (bits === 0) return '[0-9a-f:.]+';
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  if (bits === 128) return text;
  const [whole, rest] = [Math.floor(bits / 16), bits % 16];
  const groups = text.split(':');
  // Only what no zeros are left out of.
  if (groups.slice(0, whole).some((group) => group === '' || group === '0')) return undefined;
  const head = groups
    .slice(0, whole)
    .map((group) => `${group}:`)
    .join('');
  if (rest === 0) return `${head}[0-9a-f:.]*`;
  const partial = groups[whole] ?? '';
  // All four digits are written where the first is no zero.
  if (partial.length !== 4 || rest % 4 !== 0) return undefined;
  const digits = rest / 4;
  return `${head}${partial.slice(0, digits)}[0-9a-f]{${4 - digits}}:[0-9a-f:.]*`;
}
