import { isIP, SocketAddress } from 'node:net';

/** What a receiver of the PROXY protocol is told (HAProxy's proxy-protocol.txt, versions 1 and 2). */
export interface ProxiedConnection {
  /** Who connected, and to what; as the proxy saw it. */
  readonly source: ProxiedEnd;
  readonly destination: ProxiedEnd;
  /** Version 2 alone. */
  readonly uniqueId?: string;
  /** Version 2 alone: server name and ALPN of the caller's TLS. */
  readonly authority?: string;
  readonly alpn?: string;
  /** Version 2 alone: `version` as TLSv1.3; `name` stands where a certificate's common name would. */
  readonly tls?: { readonly version: string; readonly name: string };
}

export interface ProxiedEnd {
  readonly address: string;
  readonly port: number;
}

export type ProxyProtocol = 'v1' | 'v2';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const [alpnType, authorityType, uniqueIdType, tlsType, tlsVersionType, tlsNameType] = [0x01, 0x02, 0x05, 0x20, 0x21, 0x22];
/** Connected over TLS, with a certificate, in this connection and in its session. */
const provenClient = 0x07;
const longestUniqueId = 128;

/** The bytes that begin a connection. Without a caller (a check of the proxy's own) they say so, and the receiver takes the real ends. Pure. */
export function proxyHeader(version: ProxyProtocol, connection: ProxiedConnection | undefined): Buffer {
  return version === 'v1' ? textHeader(connection) : binaryHeader(connection);
}

function textHeader(connection: ProxiedConnection | undefined): Buffer {
  const ends = connection === undefined ? undefined : sameFamily(connection);
  if (ends === undefined) return Buffer.from('PROXY UNKNOWN\r\n');
  const { family, source, destination } = ends;
  return Buffer.from(`PROXY TCP${family} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`);
}

function binaryHeader(connection: ProxiedConnection | undefined): Buffer {
  if (connection === undefined) return Buffer.concat([signature, Buffer.from([0x20, 0, 0, 0])]);
  const ends = sameFamily(connection);
  const addresses = ends === undefined ? Buffer.alloc(0) : addressBlock(ends);
  const body = Buffer.concat([addresses, ...attributes(connection)]);
  const family = ends === undefined ? 0 : ends.family === 4 ? 0x11 : 0x21;
  const head = Buffer.from([0x21, family, 0, 0]);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([signature, head, body]);
}

interface Ends {
  readonly family: 4 | 6;
  readonly source: ProxiedEnd;
  readonly destination: ProxiedEnd;
}

/** Of two families the IPv4 one is written mapped into IPv6; undefined where an end is no IP address. */
function sameFamily({ source, destination }: ProxiedConnection): Ends | undefined {
  const families = [isIP(source.address), isIP(destination.address)];
  if (families.includes(0)) return undefined;
  if (families.every((family) => family === 4)) return { family: 4, source, destination };
  return { family: 6, source: mapped(source), destination: mapped(destination) };
}

function mapped({ address, port }: ProxiedEnd): ProxiedEnd {
  return { address: isIP(address) === 4 ? `::ffff:${address}` : (address.split('%')[0] ?? ''), port };
}

function addressBlock({ family, source, destination }: Ends): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const bytesOf = family === 4 ? ipv4Bytes : ipv6Bytes;
  return Buffer.concat([bytesOf(source.address), bytesOf(destination.address), ports]);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  const { address: canonical } = new SocketAddress({ address, family: 'ipv6' });
  const dotted = /^(.*:)([0-9.]+)$/.exec(canonical);
  const [text, tail] = dotted === null || !canonical.includes('.') ? [canonical, undefined] : [`${dotted[1]}0:0`, dotted[2]];
  const [head = '', rest] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(rest ?? '')];
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  const bytes = Buffer.alloc(16);
  for (const [at, group] of all.entries()) bytes.writeUInt16BE(group, 2 * at);
  if (tail !== undefined) ipv4Bytes(tail).copy(bytes, 12);
  return bytes;
}

function attributes({ alpn = '', authority = '', uniqueId = '', tls }: ProxiedConnection): Buffer[] {
  const some = (type: number, text: string) => (text === '' ? [] : [attribute(type, Buffer.from(text))]);
  const proven = () => [attribute(tlsVersionType, Buffer.from(tls?.version ?? '')), attribute(tlsNameType, Buffer.from(tls?.name ?? ''))];
  return [
    ...some(alpnType, alpn),
    ...some(authorityType, authority),
    ...some(uniqueIdType, uniqueId.slice(0, longestUniqueId)),
    // Flags, then the verdict on the certificate: 0, it holds.
    ...(tls === undefined ? [] : [attribute(tlsType, Buffer.concat([Buffer.from([provenClient, 0, 0, 0, 0]), ...proven()]))]),
  ];
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0]);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}
