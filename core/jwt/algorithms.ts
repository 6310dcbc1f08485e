import { constants, type KeyObject, verify } from 'node:crypto';

interface Algorithm {
  /** Null: the key says. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
  readonly type: 'rsa' | 'ec' | 'ed25519';
  /** Of `ec`. */
  readonly curve?: string;
  /** Of `rsa`: PSS, by its salt's length. */
  readonly saltLength?: number;
}

const rsa = (hash: 'sha256' | 'sha384' | 'sha512') => ({ hash, type: 'rsa' }) as const;

/** RFC 7518 §3.1 and RFC 8037: those by public keys, and no others. A token says itself by which it was signed, so the list is closed. */
const algorithms: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', { ...rsa('sha256'), saltLength: 32 }],
  ['PS384', { ...rsa('sha384'), saltLength: 48 }],
  ['PS512', { ...rsa('sha512'), saltLength: 64 }],
  ['ES256', { hash: 'sha256', type: 'ec', curve: 'prime256v1' }],
  ['ES384', { hash: 'sha384', type: 'ec', curve: 'secp384r1' }],
  ['ES512', { hash: 'sha512', type: 'ec', curve: 'secp521r1' }],
  ['EdDSA', { hash: null, type: 'ed25519' }],
]);

export function isKnownAlgorithm(name: string): boolean {
  return algorithms.has(name);
}

/** Never throws; a key that is not for that algorithm verifies nothing. */
export function signatureHolds(name: string, key: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = algorithms.get(name);
  if (algorithm === undefined || key.asymmetricKeyType !== algorithm.type) return false;
  const { hash, curve, saltLength } = algorithm;
  if (curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== curve) return false;
  const pss = saltLength === undefined ? {} : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  try {
    return verify(hash, signed, { key, ...(curve === undefined ? {} : { dsaEncoding: 'ieee-p1363' as const }), ...pss }, signature);
  } catch {
    return false;
  }
}
