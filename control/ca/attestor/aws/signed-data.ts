import { createHash, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import type { RefusalReason } from '../../../telemetry/index.ts';
import { type Ber, BerError, childrenOf, octetsOf, oidOf, readBer } from './ber.ts';

const oid = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
};

/** SHA-1 and MD5 are not among them. */
const digests: ReadonlyMap<string, 'sha256' | 'sha384' | 'sha512'> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);
/** rsaEncryption, and RSA with each of the digests; PKCS #1 v1.5. */
const rsa: ReadonlyMap<string, string | undefined> = new Map([
  ['1.2.840.113549.1.1.1', undefined],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
]);

export type SignedDataVerdict =
  | { readonly ok: true; readonly content: Buffer }
  | { readonly ok: false; readonly why: RefusalReason; readonly reason: string };

const sequence = 0x30;
const set = 0x31;
const context0 = 0xa0;

interface SignerInfo {
  readonly digest: string;
  readonly signature: string;
  readonly attributes: Ber | undefined;
  readonly bytes: Buffer;
}

/**
 * The content of a PKCS#7 SignedData (RFC 5652 §5) with one signer, whose signature must be by one of `keys`: certificates that the message brings
 * along count for nothing. Never throws.
 */
export function verifySignedData(bytes: Buffer, keys: readonly KeyObject[]): SignedDataVerdict {
  const refuse = (why: RefusalReason, reason: string): SignedDataVerdict => ({ ok: false, why, reason });
  try {
    const { content, signer } = parse(bytes);
    const digest = digests.get(signer.digest);
    if (digest === undefined || !rsa.has(signer.signature) || (rsa.get(signer.signature) ?? digest) !== digest)
      return refuse('wrong-algorithm', 'the document is not signed by RSA with SHA-2: ask the metadata service for rsa2048, not for pkcs7');
    const signed = signer.attributes === undefined ? content : attributesOver(signer.attributes, content, digest);
    if (signed === undefined) return refuse('bad-signature', 'what is signed is not this document');
    const held = keys.some((key) => verify(digest, signed, key, signer.bytes));
    return held ? { ok: true, content } : refuse('bad-signature', 'the signature is by none of the certificates of the policy');
  } catch (error) {
    if (error instanceof BerError) return refuse('malformed', `the document is no PKCS#7 that can be read: ${error.message}`);
    return refuse('malformed', 'the document cannot be read');
  }
}

function parse(bytes: Buffer): { readonly content: Buffer; readonly signer: SignerInfo } {
  const [type, wrapped] = childrenOf(readBer(bytes), sequence);
  if (oidOf(type) !== oid.signedData) throw new BerError('no SignedData');
  const [, , encapsulated, ...rest] = childrenOf(childrenOf(wrapped, context0)[0], sequence);
  const [contentType, content] = childrenOf(encapsulated, sequence);
  if (oidOf(contentType) !== oid.data) throw new BerError('the content is no data');
  const signers = childrenOf(rest.at(-1), set);
  const [signer] = signers;
  if (signer === undefined || signers.length !== 1) throw new BerError('not exactly one signer');
  return { content: octetsOf(childrenOf(content, context0)[0]), signer: signerOf(signer) };
}

function signerOf(ber: Ber): SignerInfo {
  const [, , digest, ...rest] = childrenOf(ber, sequence);
  const attributes = rest[0]?.tag === context0 ? rest[0] : undefined;
  const [signature, bytes] = attributes === undefined ? rest : rest.slice(1);
  return {
    digest: oidOf(childrenOf(digest, sequence)[0]),
    signature: oidOf(childrenOf(signature, sequence)[0]),
    attributes,
    bytes: octetsOf(bytes),
  };
}

/** The bytes that are signed, where the attributes are of that content; undefined: they are of another. */
function attributesOver(attributes: Ber, content: Buffer, digest: string): Buffer | undefined {
  // It is signed as the SET that it is, in DER (RFC 5652 §5.4).
  if (!attributes.definite) throw new BerError('signed attributes of unknown length');
  const only = (wanted: string): Ber => {
    const found = attributes.children.map((each) => childrenOf(each, sequence)).filter(([type]) => oidOf(type) === wanted);
    const values = childrenOf(found[0]?.[1], set);
    if (found.length !== 1 || values.length !== 1 || values[0] === undefined) throw new BerError('signed attributes');
    return values[0];
  };
  if (oidOf(only(oid.contentType)) !== oid.data) throw new BerError('signed attributes of another type of content');
  const said = octetsOf(only(oid.messageDigest));
  const own = createHash(digest).update(content).digest();
  if (said.length !== own.length || !timingSafeEqual(said, own)) return undefined;
  const signed = Buffer.from(attributes.raw);
  signed[0] = set;
  return signed;
}
