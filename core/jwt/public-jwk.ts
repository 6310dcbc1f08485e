import { createHash, createPublicKey } from 'node:crypto';

/** RFC 7517, members in a fixed order. `spki`: DER. Throws what node:crypto throws when it is no public key. */
export function publicJwk(spki: Uint8Array): Readonly<Record<string, string>> {
  const jwk = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' });
  return Object.fromEntries(Object.entries(jwk).filter(([, value]) => typeof value === 'string')) as Record<string, string>;
}

/**
 * Of a P-256 key: its thumbprint (RFC 7638). Whoever hands keys out cannot give one the name of another. Undefined for another kind of key, and for
 * what is none.
 */
export function keyIdOf(spki: Uint8Array): string | undefined {
  try {
    const { kty, crv, x, y } = publicJwk(spki);
    if (kty !== 'EC' || crv !== 'P-256') return undefined;
    return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  } catch {
    return undefined;
  }
}
