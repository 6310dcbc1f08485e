import { encodeOid } from './oids.ts';

/**
 * DER building blocks (X.690 §8, §10). Each returns one whole element, ready to stand inside another. A public key or a name that exists as
 * DER already goes in as it is: only bytes that this process encoded or has read strictly.
 */
function element(identifier: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const head = length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5;
  const out = Buffer.allocUnsafe(head + length);
  out[0] = identifier;
  if (head === 2) out[1] = length;
  else {
    out[1] = 0x80 | (head - 2);
    out.writeUIntBE(length, 2, head - 2);
  }
  let at = head;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const seq = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
/** The order of the parts is the caller's, who makes sets of one element, or in DER's order. */
export const set = (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...parts);
export const oidNode = (id: string): Buffer => element(0x06, encodeOid(id));
export const bool = (value: boolean): Buffer => element(0x01, Buffer.of(value ? 0xff : 0));
export const utf8 = (value: string): Buffer => element(0x0c, Buffer.from(value, 'utf8'));
/** BMPString, of UTF-16 in big-endian order. */
export const bmp = (utf16: Uint8Array): Buffer => element(0x1e, utf16);
export const octets = (bytes: Uint8Array): Buffer => element(0x04, bytes);
/** Bits beyond the last whole byte that carry no meaning: `unused`. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => element(0x03, Buffer.of(unused), bytes);
/** [n] EXPLICIT, or constructed IMPLICIT. */
export const context = (n: number, ...parts: readonly Uint8Array[]): Buffer => element(0xa0 | n, ...parts);
/** [n] IMPLICIT over a primitive. */
export const contextBytes = (n: number, bytes: Uint8Array): Buffer => element(0x80 | n, bytes);

const signByte = Buffer.of(0);

/** An INTEGER ≥ 0 from its big-endian bytes. */
export function unsigned(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const rest = bytes.subarray(start);
  return (rest[0] ?? 0) >= 0x80 ? element(0x02, signByte, rest) : element(0x02, rest);
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5); whole seconds. */
export function time(unixMs: number): Buffer {
  const date = new Date(unixMs);
  const year = date.getUTCFullYear();
  const rest = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  const pairs = year < 2050 ? [year % 100, ...rest] : [Math.floor(year / 100), year % 100, ...rest];
  const digits = pairs.map((pair) => (pair < 10 ? `0${pair}` : `${pair}`)).join('');
  return element(year < 2050 ? 0x17 : 0x18, Buffer.from(`${digits}Z`, 'latin1'));
}
