/** A reader of the PROXY protocol, written from its text (HAProxy's proxy-protocol.txt) and not from our writer. */
export interface ReadProxyHeader {
  readonly version: 1 | 2;
  readonly command: 'LOCAL' | 'PROXY';
  readonly source?: string;
  readonly destination?: string;
  /** By type, in hexadecimal. */
  readonly attributes: ReadonlyMap<string, Buffer>;
  /** Bytes of the header. */
  readonly length: number;
}

/** Undefined while it is not whole; throws for what is none. */
export function readProxyHeader(bytes: Buffer): ReadProxyHeader | undefined {
  if (bytes.toString('latin1', 0, 6) === 'PROXY ') return readText(bytes);
  if (bytes.length < 16) return undefined;
  if (bytes.toString('hex', 0, 12) !== '0d0a0d0a000d0a515549540a') throw new Error(`no PROXY header: ${bytes.toString('latin1', 0, 16)}`);
  const [version, command] = [(bytes[12] ?? 0) >> 4, (bytes[12] ?? 0) & 15];
  if (version !== 2 || command > 1) throw new Error(`version ${version}, command ${command}`);
  const length = 16 + bytes.readUInt16BE(14);
  if (bytes.length < length) return undefined;
  const family = (bytes[13] ?? 0) >> 4;
  const size = family === 1 ? 4 : family === 2 ? 16 : 0;
  const at = (offset: number) => textOf(bytes.subarray(offset, offset + size));
  const ports = 16 + 2 * size;
  const end = size === 0 ? 16 : ports + 4;
  const attributes = readAttributes(bytes.subarray(end, length));
  const ends =
    size === 0
      ? {}
      : {
          source: `${at(16)} ${bytes.readUInt16BE(ports)}`,
          destination: `${at(16 + size)} ${bytes.readUInt16BE(ports + 2)}`,
        };
  return { version: 2, command: command === 0 ? 'LOCAL' : 'PROXY', ...ends, attributes, length };
}

export function readAttributes(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) throw new Error('an attribute beyond the end');
    found.set(bytes.toString('hex', at, at + 1), bytes.subarray(at + 3, end));
    at = end;
  }
  return found;
}

function readText(bytes: Buffer): ReadProxyHeader | undefined {
  const end = bytes.indexOf('\r\n');
  if (end < 0) return undefined;
  if (end > 105) throw new Error('longer than 107 bytes');
  const [, protocol, source, destination, sourcePort, destinationPort] = bytes.toString('latin1', 0, end).split(' ');
  const common = { version: 1 as const, attributes: new Map(), length: end + 2 };
  if (protocol === 'UNKNOWN') return { ...common, command: 'LOCAL' };
  return { ...common, command: 'PROXY', source: `${source} ${sourcePort}`, destination: `${destination} ${destinationPort}` };
}

function textOf(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  return Array.from({ length: 8 }, (_, at) => address.readUInt16BE(2 * at).toString(16)).join(':');
}
