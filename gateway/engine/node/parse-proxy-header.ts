import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { ConnectionEnds, ConnectionSource } from '../contract.ts';

/** Stable words: they are counters' labels. */
export type ProxyHeaderFault =
  | 'proxy-header-absent' // it begins as neither version does
  | 'proxy-header-oversized'
  | 'proxy-header-malformed';

/** `ends` absent: nobody is behind the proxy (a check of its own), or somebody by other means than TCP over IP: the real ends count. */
export type ProxyHeaderOutcome =
  | { readonly kind: 'more' }
  | { readonly kind: 'header'; readonly length: number; readonly ends?: ConnectionEnds }
  | { readonly kind: 'fault'; readonly fault: ProxyHeaderFault };

const more: ProxyHeaderOutcome = { kind: 'more' };
const fault = (word: 'absent' | 'oversized' | 'malformed'): ProxyHeaderOutcome => ({ kind: 'fault', fault: `proxy-header-${word}` });

const text = Buffer.from('PROXY ');
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** With its end (proxy-protocol.txt §2.1). */
const longestLine = 107;
/** Of version 2, whole: §2.2 asks for room for 216 bytes and attributes, and no sender has use for more. */
const longestHeader = 4_096;
const fixed = 16;
const [local, proxied] = [0x20, 0x21];
const checksumType = 0x03;
/** By family and transport, bytes of the address block. */
const addressBytes = new Map([0, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32].map((family) => [family, [0, 12, 36, 216][family >> 4] ?? 0]));

/** The PROXY protocol (HAProxy's proxy-protocol.txt, versions 1 and 2), over all bytes read so far. Pure; never throws. */
export function parseProxyHeader(bytes: Buffer): ProxyHeaderOutcome {
  if (beginsAs(bytes, text)) return bytes.length === 0 ? more : readLine(bytes);
  return beginsAs(bytes, signature) ? readBinary(bytes) : fault('absent');
}

function beginsAs(bytes: Buffer, begin: Buffer): boolean {
  const length = Math.min(bytes.length, begin.length);
  return bytes.compare(begin, 0, length, 0, length) === 0;
}

function readLine(bytes: Buffer): ProxyHeaderOutcome {
  const end = bytes.subarray(0, longestLine).indexOf('\n');
  if (end < 0) return bytes.length < longestLine ? more : fault('oversized');
  const line = bytes.toString('latin1', 0, end);
  const ends = line.endsWith('\r') ? endsOf(line.slice(0, -1)) : undefined;
  if (ends === undefined) return fault('malformed');
  return { kind: 'header', length: end + 1, ...(ends === 'local' ? {} : { ends }) };
}

function endsOf(line: string): ConnectionEnds | 'local' | undefined {
  const [, family, ...rest] = line.split(' ');
  // Whatever follows is to be ignored.
  if (family === 'UNKNOWN') return 'local';
  const [from = '', to = '', fromPort = '', toPort = ''] = rest;
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? (each: string) => isIPv6(each) && !each.includes('%') : () => false;
  if (rest.length !== 4 || ![from, to].every(isAddress) || ![fromPort, toPort].every(isPort)) return undefined;
  return { source: endOf(from, Number(fromPort)), destination: endOf(to, Number(toPort)) };
}

/** Without zeros before it. */
function isPort(port: string): boolean {
  return /^(0|[1-9][0-9]{0,4})$/.test(port) && Number(port) <= 65_535;
}

/** In one spelling; IPv4 as itself where it is mapped into IPv6. */
function endOf(address: string, port: number): ConnectionSource {
  const spelled = isIPv4(address) ? address : new SocketAddress({ address, family: 'ipv6' }).address;
  return { address: spelled.replace(/^::ffff:(?=\d+\.)/, ''), port };
}

function readBinary(bytes: Buffer): ProxyHeaderOutcome {
  const [command, family = 0] = bytes.subarray(signature.length);
  if (command !== undefined && command !== local && command !== proxied) return fault('malformed');
  const size = command === proxied && bytes.length > 13 ? addressBytes.get(family) : 0;
  if (size === undefined) return fault('malformed');
  if (bytes.length < fixed) return more;
  const length = fixed + bytes.readUInt16BE(14);
  if (length > longestHeader) return fault('oversized');
  if (length < fixed + size) return fault('malformed');
  if (bytes.length < length) return more;
  // The block of a proxy's own check is to be skipped, whatever is in it.
  if (command === local) return { kind: 'header', length };
  const header = bytes.subarray(0, length);
  if (!attributesHold(header, fixed + size)) return fault('malformed');
  const ends = family === 0x11 ? binaryEnds(header, 4) : family === 0x21 ? binaryEnds(header, 16) : undefined;
  return { kind: 'header', length, ...(ends === undefined ? {} : { ends }) };
}

function binaryEnds(header: Buffer, size: 4 | 16): ConnectionEnds {
  const address = (at: number) => {
    const part = header.subarray(at, at + size);
    return size === 4 ? part.join('.') : Array.from({ length: 8 }, (_, i) => part.readUInt16BE(2 * i).toString(16)).join(':');
  };
  const ports = fixed + 2 * size;
  return {
    source: endOf(address(fixed), header.readUInt16BE(ports)),
    destination: endOf(address(fixed + size), header.readUInt16BE(ports + 2)),
  };
}

/** Each is whole, and the checksum right where there is one (§2.2.3: its own bytes count as zeros). */
function attributesHold(header: Buffer, begin: number): boolean {
  let sum: number | undefined;
  for (let at = begin; at < header.length; ) {
    const value = at + 3;
    if (value > header.length) return false;
    const end = value + header.readUInt16BE(at + 1);
    if (end > header.length) return false;
    if (header[at] === checksumType && sum === undefined) {
      if (end - value !== 4) return false;
      sum = value;
    }
    at = end;
  }
  return sum === undefined || header.readUInt32BE(sum) === crc32c(header, sum);
}

/** CRC-32C (RFC 3720 §12.1), with zeros in place of four bytes. By the bit: headers are short, and few senders add it. */
function crc32c(bytes: Buffer, zeros: number): number {
  let sum = 0xffff_ffff;
  for (const [at, byte] of bytes.entries()) {
    sum ^= at >= zeros && at < zeros + 4 ? 0 : byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0);
  }
  return ~sum >>> 0;
}
