/**
 * Basic encoding rules (X.690 §8), as far as PKCS#7 messages of others need them: also lengths that are not said beforehand, and texts in pieces,
 * which is how AWS encodes. Bounded in size, depth and count; what is signed is compared and hashed as bytes, never written anew.
 */
export class BerError extends Error {}

export interface Ber {
  /** Class, constructed bit and number. */
  readonly tag: number;
  /** Of a primitive one. */
  readonly content: Buffer;
  /** Of a constructed one. */
  readonly children: readonly Ber[];
  /** Everything from its tag to its end. */
  readonly raw: Buffer;
  /** Whether its length was said. */
  readonly definite: boolean;
}

const limits = { bytes: 32 * 1024, depth: 16, elements: 2_000 };

/** Exactly one element. Throws BerError. */
export function readBer(bytes: Buffer): Ber {
  if (bytes.length > limits.bytes) throw new BerError(`more than ${limits.bytes} bytes`);
  const budget = { left: limits.elements };
  const [ber, end] = readAt(bytes, 0, bytes.length, 0, budget);
  if (end !== bytes.length) throw new BerError('bytes after the end');
  return ber;
}

function readAt(bytes: Buffer, start: number, limit: number, depth: number, budget: { left: number }): [Ber, number] {
  budget.left -= 1;
  if (depth > limits.depth || budget.left < 0) throw new BerError('too deep or too many elements');
  const tag = byteAt(bytes, start, limit);
  if ((tag & 0x1f) === 0x1f) throw new BerError('tag of several bytes');
  const constructed = (tag & 0x20) !== 0;
  const first = byteAt(bytes, start + 1, limit);
  if (first === 0x80) {
    if (!constructed) throw new BerError('a primitive of unknown length');
    const [children, end] = readChildren(bytes, start + 2, limit, depth, budget, true);
    return [{ tag, content: Buffer.alloc(0), children, raw: bytes.subarray(start, end), definite: false }, end];
  }
  const [length, at] = first < 0x80 ? [first, start + 2] : longLength(bytes, start + 2, first & 0x7f, limit);
  const end = at + length;
  if (end > limit) throw new BerError('truncated');
  const children = constructed ? readChildren(bytes, at, end, depth, budget, false)[0] : [];
  return [{ tag, content: bytes.subarray(at, constructed ? at : end), children, raw: bytes.subarray(start, end), definite: true }, end];
}

function readChildren(
  bytes: Buffer,
  start: number,
  limit: number,
  depth: number,
  budget: { left: number },
  open: boolean,
): [Ber[], number] {
  const children: Ber[] = [];
  let at = start;
  while (open || at < limit) {
    if (open && byteAt(bytes, at, limit) === 0) {
      if (byteAt(bytes, at + 1, limit) !== 0) throw new BerError('end of contents');
      return [children, at + 2];
    }
    const [child, end] = readAt(bytes, at, limit, depth + 1, budget);
    children.push(child);
    at = end;
  }
  return [children, at];
}

function longLength(bytes: Buffer, at: number, count: number, limit: number): [number, number] {
  if (count === 0 || count > 3 || at + count > limit) throw new BerError('length form');
  return [bytes.readUIntBE(at, count), at + count];
}

function byteAt(bytes: Buffer, at: number, limit: number): number {
  const byte = at < limit ? bytes[at] : undefined;
  if (byte === undefined) throw new BerError('truncated');
  return byte;
}

/** An OCTET STRING, in one piece or several. */
export function octetsOf(ber: Ber | undefined): Buffer {
  if (ber?.tag === 0x04) return ber.content;
  if (ber?.tag === 0x24) return Buffer.concat(ber.children.map(octetsOf));
  throw new BerError('no OCTET STRING');
}

export function childrenOf(ber: Ber | undefined, tag: number): readonly Ber[] {
  if (ber?.tag !== tag) throw new BerError(`no element of tag ${tag.toString(16)}`);
  return ber.children;
}

/** Dotted. */
export function oidOf(ber: Ber | undefined): string {
  if (ber?.tag !== 0x06 || ber.content.length === 0) throw new BerError('no OBJECT IDENTIFIER');
  const arcs: number[] = [];
  let value = 0;
  for (const byte of ber.content) {
    value = value * 128 + (byte & 0x7f);
    if (value > 2 ** 40) throw new BerError('OBJECT IDENTIFIER');
    if ((byte & 0x80) !== 0) continue;
    if (arcs.length > 0) arcs.push(value);
    else arcs.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)));
    value = 0;
  }
  return arcs.join('.');
}
