import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject, verify } from 'node:crypto';
import { oid, signatureForm } from './oids.ts';

/** A new P-256 private key; about 0.5 ms, of which reading it anew is most. */
export function generateKey(): KeyObject {
  return detached(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}

/**
 * The private key, read anew: what Node gives shares a lock with the job that made it, and the process stands still for ever where that job is collected
 * while the key is exported as a JWK (seen with Node 20).
 */
export function detached(key: KeyObject): KeyObject {
  return createPrivateKey({ key: key.export({ type: 'pkcs8', format: 'der' }), format: 'der', type: 'pkcs8' });
}

/** PKCS#8 PEM. Write it with mode 0600, and nowhere else. */
export function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Throws what node:crypto throws when it is no private key. */
export function keyFromPem(pem: string): KeyObject {
  return createPrivateKey(pem);
}

/** SubjectPublicKeyInfo of a private or public key. */
export function spkiOf(key: KeyObject): Buffer {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
}

/** For keys of our own: of some that others made Node 20 aborts the process when it is asked (see `p256FromSpki`). */
export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** What precedes an uncompressed point in the SubjectPublicKeyInfo of every P-256 key (RFC 5480 §2). */
const p256Head = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const coordinateBytes = 32;

/**
 * The P-256 key of a SubjectPublicKeyInfo in the one spelling that everybody writes; undefined for any other spelling or kind of key, and for a
 * point that is not on the curve. It is known by its bytes: asking OpenSSL what kind of key it has read, and for its export, costs more than
 * verifying a signature, and of some keys (the point at infinity) Node 20 aborts the process when it is asked.
 */
export function p256FromSpki(spki: Buffer): KeyObject | undefined {
  const whole = p256Head.length + 2 * coordinateBytes;
  if (spki.length !== whole || spki.compare(p256Head, 0, p256Head.length, 0, p256Head.length) !== 0) return undefined;
  try {
    return readPoint(spki);
  } catch {
    return undefined;
  }
}

type PointReader = (spki: Buffer) => KeyObject;

/** The quickest where OpenSSL is 3.1 or later: Node 24 takes twice as long for the same bytes as DER, or as a JWK. */
export const pointAsPem: PointReader = (spki) =>
  createPublicKey(`-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`);

/** The quickest with OpenSSL 3.0, which Node 20 has: it takes 50 µs more to find out what kind of key PEM or DER holds. */
export const pointAsJwk: PointReader = (spki) => {
  const [x, y] = [p256Head.length, p256Head.length + coordinateBytes];
  const coordinates = { x: spki.toString('base64url', x, y), y: spki.toString('base64url', y) };
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', ...coordinates }, format: 'jwk' });
};

const readPoint = process.versions.openssl?.startsWith('3.0.') ? pointAsJwk : pointAsPem;

/** Undefined when OpenSSL does not read it as a public key. */
export function publicKeyFromSpki(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** False also for algorithms that are not accepted and keys of another kind; never throws. */
export function signatureHolds(algorithm: string, data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const form = signatureForm(algorithm);
  if (form === undefined || key.asymmetricKeyType !== form.keyType) return false;
  try {
    return verify(form.digest, data, key, signature);
  } catch {
    return false;
  }
}

/** What a key of this kind signs with: RSA and P-256 with SHA-256, P-384 and P-521 with what fits them. Undefined: no key that roots may have. */
export function signingAlgorithm(key: KeyObject): { readonly oid: string; readonly digest: 'sha256' | 'sha384' | 'sha512' } | undefined {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return (modulusLength ?? 0) >= 2048 ? { oid: oid.rsaSha256, digest: 'sha256' } : undefined;
  if (key.asymmetricKeyType !== 'ec') return undefined;
  if (namedCurve === 'prime256v1') return { oid: oid.ecdsaSha256, digest: 'sha256' };
  if (namedCurve === 'secp384r1') return { oid: oid.ecdsaSha384, digest: 'sha384' };
  return namedCurve === 'secp521r1' ? { oid: oid.ecdsaSha512, digest: 'sha512' } : undefined;
}

/** Lower-case hex of SHA-256. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}
