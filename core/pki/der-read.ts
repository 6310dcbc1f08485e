import { knownOid } from './oids.ts';

/**
 * A strict DER reader (X.690 §10): definite, minimal lengths and one-byte tags only. node-forge's decoder also takes BER and
 * keeps no offsets, so neither the exact signed bytes nor a refusal of a second encoding could be had from it.
 */
export class DerError extends Error {}

/** One element. A view of the bytes it was read from: of most elements nobody asks for more than the tag. */
export class Der {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #contentStart: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, contentStart: number, end: number) {
    this.tag = bytes[start] ?? 0;
    this.#bytes = bytes;
    this.#start = start;
    this.#contentStart = contentStart;
    this.#end = end;
  }

  get content(): Buffer {
    return this.#bytes.subarray(this.#contentStart, this.#end);
  }

  /** The content, a character for each byte: cheaper than a view of it. */
  get text(): string {
    return this.#bytes.toString('latin1', this.#contentStart, this.#end);
  }

  /** Bytes of `raw`. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Identifier, length and content: what a signature covers. */
  get raw(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Its elements, when it is constructed. */
  children(): Der[] {
    if ((this.tag & 0x20) === 0) throw new DerError('not constructed');
    const out: Der[] = [];
    for (let at = this.#contentStart; at < this.#end; ) {
      const child = readAt(this.#bytes, at, this.#end);
      out.push(child);
      at = child.#end;
    }
    return out;
  }
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
  const der = readAt(buffer, 0, buffer.length);
  if (der.length !== buffer.length) throw new DerError('bytes after the end');
  return expected === undefined ? der : expectTag(der, expected);
}

/** The element that begins at `start` and lies before `limit`. */
function readAt(buffer: Buffer, start: number, limit: number): Der {
  if (start + 2 > limit) throw new DerError('truncated');
  const identifier = buffer[start] ?? 0;
  const first = buffer[start + 1] ?? 0;
  if ((identifier & 0x1f) === 0x1f) throw new DerError('tag of several bytes');
  let length = first;
  let at = start + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError('length form');
    if (at + count > limit) throw new DerError('truncated');
    length = buffer.readUIntBE(at, count);
    at += count;
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError('length is not minimal');
  }
  if (at + length > limit) throw new DerError('truncated');
  return new Der(buffer, start, at, at + length);
}

export function children(der: Der): Der[] {
  return der.children();
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
  const element = expectTag(der, tag.oid);
  const known = knownOid(element.text);
  if (known !== undefined) return known;
  const { content } = element;
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
  const { text } = der;
  if (!/^[ -~]*$/.test(text)) throw new DerError('IA5String with a control or 8-bit character');
  return text;
}

/** UTCTime or GeneralizedTime in the one form that RFC 5280 §4.1.2.5 allows; Unix ms. */
export function readTime(der: Der | undefined): number {
  if (der === undefined) throw new DerError('missing time');
  const long = der.tag === tag.generalizedTime;
  if (!long && der.tag !== tag.utcTime) throw new DerError('not a time');
  const { content } = der;
  const yearDigits = long ? 4 : 2;
  if (content.length !== yearDigits + 11 || content[yearDigits + 10] !== 0x5a) throw new DerError('time form');
  const pair = (at: number) => 10 * digit(content[at]) + digit(content[at + 1]);
  const year = long ? 100 * pair(0) + pair(2) : pair(0);
  const [month, day] = [pair(yearDigits), pair(yearDigits + 2)];
  const [hour, minute, second] = [pair(yearDigits + 4), pair(yearDigits + 6), pair(yearDigits + 8)];
  const full = long ? year : year + (year >= 50 ? 1900 : 2000);
  const at = Date.UTC(full, month - 1, day, hour, minute, second);
  const back = new Date(at);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw new DerError('no such time');
  return at;
}

function digit(byte = 0): number {
  if (byte < 0x30 || byte > 0x39) throw new DerError('time form');
  return byte - 0x30;
}
