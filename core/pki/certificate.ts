import { accept, type Checked, reject } from '../validate.ts';
import {
  type Der,
  DerError,
  expectTag,
  readBits,
  readDer,
  readOid,
  readSmallInt,
  readTime,
  readUnsigned,
  sequence,
  tag,
} from './der-read.ts';
import { type Extensions, readExtensions } from './extensions.ts';
import { sha256Hex } from './keys.ts';

/** An X.509 v3 certificate, read strictly from its DER. Nothing about it has been verified. */
export interface Certificate {
  readonly der: Buffer;
  /** The signed part. */
  readonly tbs: Buffer;
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  /** Lower-case hex without a sign byte. */
  readonly serial: string;
  /** DER of the names, to be compared byte by byte. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Unix ms. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly extensions: Extensions;
}

const fingerprints = new WeakMap<Certificate, string>();

/** SHA-256 of the whole certificate, lower-case hex. */
export function fingerprintOf(certificate: Certificate): string {
  const known = fingerprints.get(certificate) ?? sha256Hex(certificate.der);
  fingerprints.set(certificate, known);
  return known;
}

/** Never throws; one violation that says what is wrong. */
export function parseCertificate(der: Uint8Array): Checked<Certificate> {
  try {
    return accept(read(Uint8Array.from(der)));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return reject([{ path: '', message: `not an X.509 certificate: ${error.message}` }]);
  }
}

function read(bytes: Uint8Array): Certificate {
  const whole = readDer(bytes, tag.sequence);
  const [tbs, algorithm, signature, ...rest] = sequence(whole);
  if (rest.length > 0) throw new DerError('more than three parts');
  const body = sequence(tbs);
  if (readSmallInt(readDer(expectTag(body[0], tag.constructed(0)).content)) !== 2) throw new DerError('not version 3');
  const [, serial, inner, issuer, validity, subject, spki, ...optional] = body;
  const outer = expectTag(algorithm, tag.sequence);
  if (!expectTag(inner, tag.sequence).raw.equals(outer.raw)) throw new DerError('signature algorithm inside and outside differ');
  const [notBefore, notAfter] = sequence(validity);
  return {
    der: whole.raw,
    tbs: expectTag(tbs, tag.sequence).raw,
    signatureAlgorithm: readOid(sequence(outer)[0]),
    signature: readBits(signature),
    serial: readUnsigned(serial).toString('hex'),
    issuer: expectTag(issuer, tag.sequence).raw,
    subject: expectTag(subject, tag.sequence).raw,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    spki: expectTag(spki, tag.sequence).raw,
    extensions: extensionsOf(optional),
  };
}

function extensionsOf(optional: readonly Der[]): Extensions {
  const [wrapped, ...more] = optional;
  if (wrapped === undefined) return { unknownCritical: [] };
  if (more.length > 0) throw new DerError('unexpected part after the public key');
  return readExtensions(readDer(expectTag(wrapped, tag.constructed(3)).content));
}
