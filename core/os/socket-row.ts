import { endianness } from 'node:os';

/** One TCP socket of a network namespace, as `/proc/net/tcp` and `/proc/net/tcp6` give it (proc_pid_net(5)). */
export interface SocketRow {
  /** IPv4 dotted, also for what came as IPv4-mapped IPv6; IPv6 in RFC 5952's form. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly state: SocketState;
  readonly uid: number;
  /** 0: no program holds it any more. */
  readonly inode: number;
}

/** `open`: data may still pass in one direction at least. `closed`: only remembered by the kernel, for a minute or so. */
export type SocketState = 'listening' | 'connecting' | 'open' | 'closed';

/** include/net/tcp_states.h. */
const states: Readonly<Record<string, SocketState>> = {
  '01': 'open', // ESTABLISHED
  '02': 'connecting', // SYN_SENT
  '03': 'open', // SYN_RECV: it is about to be accepted
  '04': 'open', // FIN_WAIT1
  '05': 'open', // FIN_WAIT2
  '06': 'closed', // TIME_WAIT
  '07': 'closed', // CLOSE
  '08': 'open', // CLOSE_WAIT
  '09': 'closed', // LAST_ACK
  '0A': 'listening',
  '0B': 'closed', // CLOSING
  '0C': 'open', // NEW_SYN_RECV
};

const form =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+ +(\d{1,10}) +\d+ (\d{1,20})(?: |$)/;

/** Undefined for the heading and for whatever is no row. Pure, but that it knows this machine's byte order: the kernel writes addresses in it. */
export function parseRow(line: string, littleEndian = endianness() === 'LE'): SocketRow | undefined {
  const match = form.exec(line);
  if (match === null) return undefined;
  const [, local = '', localPort = '', remote = '', remotePort = '', code = '', uid = '', inode = ''] = match;
  const state = states[code];
  if (state === undefined || local.length !== remote.length) return undefined;
  return {
    localAddress: formatAddress(local, littleEndian),
    localPort: Number.parseInt(localPort, 16),
    remoteAddress: formatAddress(remote, littleEndian),
    remotePort: Number.parseInt(remotePort, 16),
    state,
    uid: Number(uid),
    inode: Number(inode),
  };
}

/** Words of 32 bits, each in the byte order of the machine. */
function formatAddress(hex: string, littleEndian: boolean): string {
  const bytes = Buffer.from(hex, 'hex');
  if (littleEndian) bytes.swap32();
  if (bytes.length === 4) return bytes.join('.');
  const mapped = bytes.readBigUInt64BE(0) === 0n && bytes.readUInt32BE(8) === 0xffff;
  return mapped ? bytes.subarray(12).join('.') : formatV6(bytes);
}

function formatV6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  // The URL parser of Node writes IPv6 as RFC 5952 says.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
