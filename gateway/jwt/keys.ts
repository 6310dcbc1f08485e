import { createPublicKey, type KeyObject } from 'node:crypto';

/** A public key of an issuer. */
export interface IssuerKey {
  /** Empty: it has no name, and is tried for every token. */
  readonly id: string;
  /** Empty: whatever its kind can do. */
  readonly algorithm: string;
  readonly key: KeyObject;
}

const most = 64;

/** RFC 7517. What is no public key for signatures, or not readable, is left out: secrets above all, which nobody may verify by here. Never throws. */
export function keysOf(jwks: string): readonly IssuerKey[] {
  return listed(jwks).slice(0, most).flatMap(keyOf);
}

function listed(jwks: string): readonly unknown[] {
  try {
    const { keys } = JSON.parse(jwks === '' ? '{}' : jwks) as { keys?: unknown };
    return Array.isArray(keys) ? keys : [];
  } catch {
    return [];
  }
}

function keyOf(jwk: unknown): readonly IssuerKey[] {
  if (typeof jwk !== 'object' || jwk === null) return [];
  const { kty, use, kid, alg } = jwk as Readonly<Record<string, unknown>>;
  if (kty === 'oct' || (use !== undefined && use !== 'sig')) return [];
  try {
    const key = createPublicKey({ key: jwk as import('node:crypto').JsonWebKey, format: 'jwk' });
    return [{ id: typeof kid === 'string' ? kid : '', algorithm: typeof alg === 'string' ? alg : '', key }];
  } catch {
    return [];
  }
}
