import { isIP, SocketAddress } from 'node:net';

/** 4 or 16 bytes; undefined for what is no IP address. An IPv4 address mapped into IPv6 gives its 4. */
export function addressBytes(text: string): Buffer | undefined {
  const family = isIP(text);
  if (family === 4) return Buffer.from(text.split('.').map(Number));
  if (family !== 6 || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const front = groupBytes(head);
  const back = groupBytes(tail ?? '');
  const bytes = Buffer.from([...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back]);
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** The text of 4 or 16 bytes: dotted, also for IPv4 mapped into IPv6; otherwise as Node writes IPv6. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (isMapped(bytes)) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

/** Groups of hexadecimal digits, the last of them perhaps a dotted IPv4 address. */
function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isMapped(bytes: Buffer): boolean {
  return bytes.readBigUInt64BE(0) === 0n && bytes.readUInt32BE(8) === 0xffff;
}
