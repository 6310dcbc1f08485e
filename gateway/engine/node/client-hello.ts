/**
 * Reads the first flight of a TLS connection (RFC 8446 §4.1.2, §5.1; RFC 6066 §3; RFC 7301) as far as routing needs it.
 * Incremental and linear, however the bytes were cut; never throws.
 */

/** Stable words: they are counters' labels. */
export type HelloFault =
  | 'hello-not-tls' // no TLS handshake record
  | 'hello-oversized'
  | 'hello-malformed'
  | 'hello-multiple-names';

export interface ClientHello {
  /** Lower-case; absent when the client names nobody. */
  readonly sni?: string;
  readonly alpn: readonly string[];
}

export type HelloOutcome =
  | { readonly kind: 'more' }
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'fault'; readonly fault: HelloFault };

const more: HelloOutcome = { kind: 'more' };
const fault = (f: HelloFault): HelloOutcome => ({ kind: 'fault', fault: f });

const handshakeRecord = 22;
const longestFragment = 16_384;
const clientHello = 1;

/** Feed it chunks until the outcome is not `more`; the outcome then stays. Keeps no more than `maxBytes`. */
export class ClientHelloParser {
  readonly #maxBytes: number;
  readonly #header: number[] = [];
  #left = 0;
  #seen = 0;
  #body: Buffer = Buffer.alloc(0);
  #length = 0;
  #wanted = 4;
  #outcome: HelloOutcome = more;

  /** `maxBytes` counts record headers too: with that many and no whole hello it is oversized, however the bytes were cut. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Uint8Array): HelloOutcome {
    let at = 0;
    while (this.#outcome.kind === 'more' && at < chunk.length) {
      if (this.#left === 0) at = this.#readHeader(chunk, at);
      else at = this.#readFragment(chunk, at);
      if (this.#outcome.kind === 'more' && this.#seen >= this.#maxBytes) this.#outcome = fault('hello-oversized');
    }
    return this.#outcome;
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const byte = chunk[at] ?? 0;
    const place = this.#header.push(byte) - 1;
    this.#seen += 1;
    if ((place === 0 && byte !== handshakeRecord) || (place === 1 && byte !== 3)) {
      this.#outcome = fault(this.#length === 0 ? 'hello-not-tls' : 'hello-malformed');
    } else if (place === 4) {
      this.#left = ((this.#header[3] ?? 0) << 8) | byte;
      this.#header.length = 0;
      // RFC 8446 §5.1: handshake fragments are never empty; an endless row of them would cost us for nothing.
      if (this.#left === 0 || this.#left > longestFragment) this.#outcome = fault('hello-malformed');
    }
    return at + 1;
  }

  #readFragment(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#left, at + this.#maxBytes - this.#seen);
    this.#append(chunk.subarray(at, end));
    this.#left -= end - at;
    this.#seen += end - at;
    if (this.#wanted === 4 && this.#length >= 4) this.#readHandshakeHeader();
    if (this.#outcome.kind === 'more' && this.#length >= this.#wanted && this.#wanted > 4) this.#finish();
    return end;
  }

  #readHandshakeHeader(): void {
    if (this.#body[0] !== clientHello) {
      this.#outcome = fault('hello-malformed');
      return;
    }
    this.#wanted = 4 + this.#body.readUIntBE(1, 3);
    if (this.#wanted === 4) this.#outcome = fault('hello-malformed');
    else if (this.#wanted > this.#maxBytes) this.#outcome = fault('hello-oversized');
  }

  #finish(): void {
    // Nothing may follow a ClientHello in its record before the server has spoken.
    if (this.#length > this.#wanted || this.#left > 0) this.#outcome = fault('hello-malformed');
    else this.#outcome = parseBody(this.#body.subarray(4, this.#wanted));
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#body.length) {
      const grown = Buffer.alloc(Math.max(needed, this.#body.length * 2, 1_024));
      this.#body.copy(grown, 0, 0, this.#length);
      this.#body = grown;
    }
    this.#body.set(bytes, this.#length);
    this.#length = needed;
  }
}

/** Bounds are checked once, here: a read past the end marks the cursor and gives zeros. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  bad = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get empty(): boolean {
    return this.bad || this.#at === this.#bytes.length;
  }

  number(size: 1 | 2): number {
    const bytes = this.take(size);
    return this.bad ? 0 : bytes.readUIntBE(0, size);
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) {
      this.bad = true;
      return Buffer.alloc(0);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A vector with a length of `size` bytes before it. */
  vector(size: 1 | 2): Buffer {
    return this.take(this.number(size));
  }
}

function parseBody(bytes: Buffer): HelloOutcome {
  const body = new Cursor(bytes);
  body.take(2 + 32);
  const session = body.vector(1);
  const suites = body.vector(2);
  const compressions = body.vector(1);
  if (body.bad || session.length > 32 || suites.length < 2 || suites.length % 2 !== 0 || compressions.length < 1)
    return fault('hello-malformed');
  if (body.empty) return { kind: 'hello', hello: { alpn: [] } };
  const extensions = new Cursor(body.vector(2));
  if (body.bad || !body.empty) return fault('hello-malformed');
  return parseExtensions(extensions);
}

const serverNameExtension = 0;
const alpnExtension = 16;

function parseExtensions(extensions: Cursor): HelloOutcome {
  const seen = new Set<number>();
  let sni: string | undefined;
  let alpn: readonly string[] = [];
  while (!extensions.empty) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (extensions.bad || seen.has(type)) return fault('hello-malformed');
    seen.add(type);
    if (type === serverNameExtension) {
      const name = parseServerName(data);
      if (typeof name !== 'string') return fault(name.fault);
      sni = name;
    } else if (type === alpnExtension) {
      const protocols = parseAlpn(data);
      if (protocols === undefined) return fault('hello-malformed');
      alpn = protocols;
    }
  }
  return extensions.bad ? fault('hello-malformed') : { kind: 'hello', hello: { ...(sni === undefined ? {} : { sni }), alpn } };
}

/** Names are compared as bytes, so what is no DNS name (with Istio's underscores) is refused rather than normalised. */
const nameForm = /^[a-z0-9_]([a-z0-9_.-]{0,253}[a-z0-9_])?$/i;

function parseServerName(data: Buffer): string | { readonly fault: HelloFault } {
  const outer = new Cursor(data);
  const list = new Cursor(outer.vector(2));
  if (outer.bad || !outer.empty) return { fault: 'hello-malformed' };
  const type = list.number(1);
  const name = list.vector(2);
  if (list.bad || type !== 0) return { fault: 'hello-malformed' };
  if (!list.empty) return { fault: 'hello-multiple-names' };
  const text = name.toString('latin1');
  return nameForm.test(text) ? text.toLowerCase() : { fault: 'hello-malformed' };
}

function parseAlpn(data: Buffer): readonly string[] | undefined {
  const outer = new Cursor(data);
  const list = new Cursor(outer.vector(2));
  if (outer.bad || !outer.empty || list.empty) return undefined;
  const protocols: string[] = [];
  while (!list.empty) {
    const protocol = list.vector(1);
    if (list.bad || protocol.length === 0) return undefined;
    protocols.push(protocol.toString('latin1'));
  }
  return protocols;
}
