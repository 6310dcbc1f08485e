// Of node-forge its encoder alone: the rest is several megabytes in every process.
import type forge from 'node-forge';
import asn1 from 'node-forge/lib/asn1.js';

/** DER building blocks over node-forge's ASN.1 encoder. Values are trees; `encode` makes the bytes. */
const { Class, Type } = asn1;

export type Node = forge.asn1.Asn1;

const text = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export function encode(node: Node): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1');
}

export const seq = (...parts: readonly Node[]): Node => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...parts]);
export const set = (...parts: readonly Node[]): Node => asn1.create(Class.UNIVERSAL, Type.SET, true, [...parts]);
export const oidNode = (id: string): Node => asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(id).getBytes());
export const bool = (value: boolean): Node => asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\x00');
export const utf8 = (value: string): Node => asn1.create(Class.UNIVERSAL, Type.UTF8, false, text(Buffer.from(value, 'utf8')));
export const octets = (bytes: Uint8Array): Node => asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, text(bytes));
/** Bits beyond the last whole byte that carry no meaning: `unused`. */
export const bits = (bytes: Uint8Array, unused = 0): Node =>
  asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unused) + text(bytes));
/** [n] EXPLICIT, or constructed IMPLICIT. */
export const context = (n: number, ...parts: readonly Node[]): Node => asn1.create(Class.CONTEXT_SPECIFIC, n, true, [...parts]);
/** [n] IMPLICIT over a primitive. */
export const contextBytes = (n: number, bytes: Uint8Array): Node => asn1.create(Class.CONTEXT_SPECIFIC, n, false, text(bytes));

/** An INTEGER ≥ 0 from its big-endian bytes. */
export function unsigned(bytes: Uint8Array): Node {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const rest = bytes.subarray(start);
  const sign = (rest[0] ?? 0) >= 0x80 ? '\x00' : '';
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, sign + text(rest));
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5); whole seconds. */
export function time(unixMs: number): Node {
  const date = new Date(unixMs);
  return date.getUTCFullYear() < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date));
}

/** An element that exists as DER already: a public key, a name. Only for bytes that this process encoded or has read strictly. */
export const raw = (der: Uint8Array): Node => asn1.fromDer(text(der));
