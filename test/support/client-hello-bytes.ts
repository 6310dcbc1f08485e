export interface HelloParts {
  readonly names?: readonly string[];
  readonly alpn?: readonly string[];
  /** Other extensions: type and content. */
  readonly others?: readonly (readonly [number, Uint8Array])[];
  /** Replaces all extensions. */
  readonly extensions?: Uint8Array;
}

const u8 = (n: number) => Buffer.of(n & 0xff);
const u16 = (n: number) => Buffer.of((n >> 8) & 0xff, n & 0xff);
const u24 = (n: number) => Buffer.of((n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff);
const vector8 = (bytes: Uint8Array) => Buffer.concat([u8(bytes.length), bytes]);
export const vector16 = (bytes: Uint8Array) => Buffer.concat([u16(bytes.length), bytes]);
const extension = (type: number, content: Uint8Array) => Buffer.concat([u16(type), vector16(content)]);

export function serverNames(names: readonly string[]): Buffer {
  return vector16(Buffer.concat(names.map((name) => Buffer.concat([u8(0), vector16(Buffer.from(name, 'latin1'))]))));
}

/** The handshake message, without records around it. */
export function helloMessage(parts: HelloParts): Buffer {
  const list: Buffer[] = [];
  if (parts.names !== undefined) list.push(extension(0, serverNames(parts.names)));
  for (const [type, content] of parts.others ?? []) list.push(extension(type, content));
  if (parts.alpn !== undefined) list.push(extension(16, vector16(Buffer.concat(parts.alpn.map((p) => vector8(Buffer.from(p, 'latin1')))))));
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector8(Buffer.alloc(32, 9)),
    vector16(Buffer.of(0x13, 0x01, 0x13, 0x02)),
    vector8(Buffer.of(0)),
    vector16(parts.extensions ?? Buffer.concat(list)),
  ]);
  return Buffer.concat([u8(1), u24(body.length), body]);
}

/** Cut into handshake records of these sizes, then one with the rest. */
export function inRecords(message: Uint8Array, sizes: readonly number[] = []): Buffer {
  const records: Buffer[] = [];
  let at = 0;
  for (const size of [...sizes, message.length]) {
    const part = message.subarray(at, Math.min(message.length, at + Math.max(1, size)));
    if (part.length === 0) break;
    records.push(Buffer.concat([u8(22), u16(0x0301), vector16(part)]));
    at += part.length;
  }
  return Buffer.concat(records);
}
