import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { oid, signatureForm } from './oids.ts';

/** A new P-256 private key; about 0.1 ms. */
export function generateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
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

export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

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
  return createHash('sha256').update(bytes).digest('hex');
}
