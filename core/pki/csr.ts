import { type KeyObject, sign } from 'node:crypto';
import { accept, type Checked, reject } from '../validate.ts';
import { children, type Der, DerError, expectTag, readBits, readDer, readOid, readSmallInt, sequence, tag } from './der-read.ts';
import { bits, context, contextBytes, octets, oidNode, seq, set, unsigned, utf8 } from './der-write.ts';
import { readExtensions } from './extensions.ts';
import { p256FromSpki, signatureHolds, spkiOf } from './keys.ts';
import { oid } from './oids.ts';

/** A PKCS#10 request (RFC 2986) whose signature proved possession of the private key. */
export interface CertificateRequest {
  /** SubjectPublicKeyInfo, of which one spelling is taken: two requests of one key compare equal. */
  readonly spki: Buffer;
  /** What the requester asks to be called; an issuer decides for itself and refuses what contradicts it. */
  readonly requestedUris: readonly string[];
  readonly requestedDns: readonly string[];
}

/** DER, signed by `key` (P-256). `uris` and `dns` go into the extension request; empty: none is made. */
export function createCsr(
  key: KeyObject,
  ask: { readonly uris?: readonly string[]; readonly dns?: readonly string[]; readonly commonName?: string } = {},
): Buffer {
  const names = [
    ...(ask.uris ?? []).map((uri) => contextBytes(6, Buffer.from(uri, 'latin1'))),
    ...(ask.dns ?? []).map((name) => contextBytes(2, Buffer.from(name, 'latin1'))),
  ];
  const extensions = seq(seq(oidNode(oid.subjectAltName), octets(seq(...names))));
  const attributes = names.length === 0 ? [] : [seq(oidNode(oid.extensionRequest), set(extensions))];
  const subject = ask.commonName === undefined ? seq() : seq(set(seq(oidNode(oid.commonName), utf8(ask.commonName))));
  const info = seq(unsigned(Buffer.of(0)), subject, spkiOf(key), context(0, ...attributes));
  return seq(info, seq(oidNode(oid.ecdsaSha256)), bits(sign('sha256', info, key)));
}

/** Reads a request and verifies its proof of possession. Only P-256 keys are taken. Never throws. */
export function parseCsr(der: Uint8Array): Checked<CertificateRequest> {
  try {
    return accept(read(Uint8Array.from(der)));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return reject([{ path: 'csr', message: `not an acceptable certificate request: ${error.message}` }]);
  }
}

function read(bytes: Uint8Array): CertificateRequest {
  const [info, algorithm, signature, ...rest] = sequence(readDer(bytes));
  if (rest.length > 0) throw new DerError('more than three parts');
  const [version, subject, spki, attributes] = sequence(info);
  if (readSmallInt(version) !== 0) throw new DerError('version');
  expectTag(subject, tag.sequence);
  const key = expectTag(spki, tag.sequence).raw;
  const publicKey = p256FromSpki(key);
  if (publicKey === undefined) throw new DerError('the key is not P-256 with an uncompressed point');
  const signed = expectTag(info, tag.sequence).raw;
  if (!signatureHolds(readOid(sequence(algorithm)[0]), signed, publicKey, readBits(signature))) {
    throw new DerError('the signature does not prove possession of the key');
  }
  const names = requestedNames(attributes === undefined ? [] : children(expectTag(attributes, tag.constructed(0))));
  return { spki: key, ...names };
}

function requestedNames(attributes: readonly Der[]): Pick<CertificateRequest, 'requestedUris' | 'requestedDns'> {
  const wanted = attributes.map(sequence).filter((parts) => readOid(parts[0]) === oid.extensionRequest);
  if (wanted.length > 1) throw new DerError('extension request twice');
  const values = wanted[0]?.[1];
  if (values === undefined) return { requestedUris: [], requestedDns: [] };
  const [extensions] = children(expectTag(values, tag.set));
  if (extensions === undefined) throw new DerError('empty extension request');
  const names = readExtensions(extensions).subjectAltName;
  if ((names?.others ?? 0) > 0) throw new DerError('asks for names that are neither URI nor DNS');
  return { requestedUris: names?.uris ?? [], requestedDns: names?.dns ?? [] };
}
