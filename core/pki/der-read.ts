/**
 * A strict DER reader (X.690 §10): definite, minimal lengths and one-byte tags only. node-forge's decoder also takes BER and
 * keeps no offsets, so neither the exact signed bytes nor a refusal of a second encoding could be had from it.
 */
export class DerError extends Error {}

export interface Der {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Buffer;
  /** Identifier, length and content: what a signature covers. */
  readonly raw: Buffer;
}

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** [n] EXPLICIT or constructed IMPLICIT. */
  constructed: (n: number) => 0xa0 | n,
  /** [n] IMPLICIT over a primitive type. */
  primitive: (n: number) => 0x80 | n,
} as const;

/** Certificates and requests here are below 2 KiB; nothing bigger than this is looked at. */
const maxBytes = 64 * 1024;

/** Exactly one element and nothing after it. Throws DerError; every public parser of this folder catches it. */
export function readDer(bytes: Uint8Array, expected?: number): Der {
  if (bytes.length > maxBytes) throw new DerError(`more than ${maxBytes} bytes`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const der = readAt(buffer, 0);
  if (der.raw.length !== buffer.length) throw new DerError('bytes after the end');
  return expected === undefined ? der : expectTag(der, expected);
}

function readAt(buffer: Buffer, start: number): Der {
  const identifier = buffer[start];
  const first = buffer[start + 1];
  if (identifier === undefined || first === undefined) throw new DerError('truncated');
  if ((identifier & 0x1f) === 0x1f) throw new DerError('tag of several bytes');
  let length = first;
  let at = start + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError('length form');
    if (at + count > buffer.length) throw new DerError('truncated');
    length = buffer.readUIntBE(at, count);
    at += count;
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError('length is not minimal');
  }
  const end = at + length;
  if (end > buffer.length) throw new DerError('truncated');
  return { tag: identifier, content: buffer.subarray(at, end), raw: buffer.subarray(start, end) };
}

export function children(der: Der): Der[] {
  if ((der.tag & 0x20) === 0) throw new DerError('not constructed');
  const out: Der[] = [];
  for (let at = 0; at < der.content.length; ) {
    const child = readAt(der.content, at);
    out.push(child);
    at += child.raw.length;
  }
  return out;
}

export function expectTag(der: Der | undefined, expected: number): Der {
  if (der === undefined) throw new DerError('missing element');
  if (der.tag !== expected) throw new DerError(`tag ${der.tag.toString(16)} where ${expected.toString(16)} belongs`);
  return der;
}

/** The elements of a SEQUENCE. */
export function sequence(der: Der | undefined): Der[] {
  return children(expectTag(der, tag.sequence));
}

export function readOid(der: Der | undefined): string {
  const { content } = expectTag(der, tag.oid);
  const arcs: number[] = [];
  let value = 0;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) throw new DerError('OID arc is not minimal');
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError('OID arc too big');
    fresh = (byte & 0x80) === 0;
    if (!fresh) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)));
    else arcs.push(value);
    value = 0;
  }
  if (!fresh || arcs.length === 0) throw new DerError('truncated OID');
  return arcs.join('.');
}

/** Content of a minimal INTEGER ≥ 0, without the sign byte. */
export function readUnsigned(der: Der | undefined, tagged: number = tag.integer): Buffer {
  const { content } = expectTag(der, tagged);
  const [first, second] = content;
  if (first === undefined) throw new DerError('empty INTEGER');
  if (first >= 0x80) throw new DerError('negative INTEGER');
  if (first !== 0 || second === undefined) return content;
  if (second < 0x80) throw new DerError('INTEGER is not minimal');
  return content.subarray(1);
}

export function readSmallInt(der: Der | undefined): number {
  const bytes = readUnsigned(der);
  if (bytes.length > 4) throw new DerError('INTEGER too big');
  return bytes.readUIntBE(0, bytes.length);
}

export function readBoolean(der: Der): boolean {
  const { content } = expectTag(der, tag.boolean);
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerError('BOOLEAN');
  return content[0] === 0xff;
}

/** A BIT STRING of whole bytes. */
export function readBits(der: Der | undefined): Buffer {
  const { content } = expectTag(der, tag.bitString);
  if (content[0] !== 0) throw new DerError('BIT STRING with unused bits');
  return content.subarray(1);
}

/** Latin-1 text of 7-bit characters without controls, as IA5String names must be. */
export function readIa5(der: Der): string {
  for (const byte of der.content) if (byte < 0x20 || byte > 0x7e) throw new DerError('IA5String with a control or 8-bit character');
  return der.content.toString('latin1');
}

/** UTCTime or GeneralizedTime in the one form that RFC 5280 §4.1.2.5 allows; Unix ms. */
export function readTime(der: Der | undefined): number {
  if (der === undefined) throw new DerError('missing time');
  const text = readIa5(der);
  const long = der.tag === tag.generalizedTime;
  if (!long && der.tag !== tag.utcTime) throw new DerError('not a time');
  const match = (long ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(text);
  if (match === null) throw new DerError('time form');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const full = long ? year : year + (year >= 50 ? 1900 : 2000);
  const at = Date.UTC(full, month - 1, day, hour, minute, second);
  const back = new Date(at);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw new DerError('no such time');
  return at;
}
