import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { parseCertificate, sha256Hex } from '../../core/pki/index.ts';
import { accept, type Checked, reject, type Violation } from '../../core/validate.ts';

/** What a trust domain publishes of itself. Immutable. */
export interface SpiffeBundle {
  /** DER of its X.509 authorities. None: it takes everything back that it has published. */
  readonly authorities: readonly Uint8Array[];
  readonly jwtKeys: readonly JwtAuthority[];
  /** Higher at each change of content. Absent: it does not say. */
  readonly sequence?: number;
  /** How soon to look again. Absent: it does not say. */
  readonly refreshHintMs?: number;
}

export interface JwtAuthority {
  readonly keyId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

export const bundleLimits = { bytes: 524_288, keys: 256 } as const;

/** SPIFFE Trust Domain and Bundle §4: a JWK Set. Equal for equal input. */
export function formatBundle({ authorities, jwtKeys, sequence, refreshHintMs }: SpiffeBundle): string {
  const x509 = authorities.flatMap((der) => {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return [];
    return [{ ...jwkOf(certificate.value.spki), use: 'x509-svid', x5c: [Buffer.from(der).toString('base64')] }];
  });
  const jwt = jwtKeys.map(({ keyId, publicKey }) => ({ ...jwkOf(publicKey), use: 'jwt-svid', kid: keyId }));
  const document = {
    keys: [...x509, ...jwt],
    ...(sequence === undefined ? {} : { spiffe_sequence: sequence }),
    ...(refreshHintMs === undefined ? {} : { spiffe_refresh_hint: Math.max(1, Math.round(refreshHintMs / 1_000)) }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function jwkOf(spki: Uint8Array) {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' });
}

/** Names what is believed: equal for documents that differ in sequence and order alone. */
export function contentDigest({ authorities, jwtKeys }: SpiffeBundle): string {
  const x509 = authorities.map((der) => Buffer.from(der).toString('base64')).sort();
  const jwt = jwtKeys.map(({ keyId, publicKey }) => `${keyId} ${Buffer.from(publicKey).toString('base64')}`).sort();
  return sha256Hex(JSON.stringify([x509, jwt]));
}

/**
 * Everything that is wrong at once. Keys for uses and of types that are not known are for others and left out, as §4.2 has it; one that says it is
 * an X.509 authority and is none spoils the whole, as leaving it out would let a broken rotation pass for a finished one.
 */
export function parseBundle(text: string): Checked<SpiffeBundle> {
  if (Buffer.byteLength(text) > bundleLimits.bytes) return wrong('', `is larger than ${bundleLimits.bytes} bytes`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return wrong('', 'is not JSON');
  }
  if (typeof document !== 'object' || document === null) return wrong('', 'must be a JWK Set');
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: hint } = document as Record<string, unknown>;
  if (!Array.isArray(keys)) return wrong('keys', 'must be a list');
  if (keys.length > bundleLimits.keys) return wrong('keys', `must be at most ${bundleLimits.keys}`);
  const found: Violation[] = [];
  if (sequence !== undefined && !isCount(sequence)) found.push({ path: 'spiffe_sequence', message: 'must be a whole number' });
  if (hint !== undefined && !isCount(hint)) found.push({ path: 'spiffe_refresh_hint', message: 'must be a whole number of seconds' });
  const authorities: Buffer[] = [];
  const jwtKeys: JwtAuthority[] = [];
  for (const [i, key] of keys.entries()) {
    const read = readKey(key);
    if (typeof read === 'string') found.push({ path: `keys[${i}]`, message: read });
    else if (read?.kind === 'x509') authorities.push(read.der);
    else if (read?.kind === 'jwt') jwtKeys.push({ keyId: read.keyId, publicKey: read.publicKey });
  }
  if (new Set(jwtKeys.map((key) => key.keyId)).size < jwtKeys.length) found.push({ path: 'keys', message: 'hold one kid twice' });
  if (found.length > 0) return reject(found);
  return accept({
    authorities,
    jwtKeys,
    ...(isCount(sequence) ? { sequence } : {}),
    ...(isCount(hint) && hint > 0 ? { refreshHintMs: hint * 1_000 } : {}),
  });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

type Read = { readonly kind: 'x509'; readonly der: Buffer } | { readonly kind: 'jwt'; readonly keyId: string; readonly publicKey: Buffer };

/** A text: what is wrong with it. Undefined: not for us. */
function readKey(key: unknown): Read | string | undefined {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) return 'must be a JWK';
  const { use, kty, x5c, kid } = key as Record<string, unknown>;
  if (use !== 'x509-svid' && use !== 'jwt-svid') return undefined;
  if (kty !== 'EC' && kty !== 'RSA') return typeof kty === 'string' ? undefined : 'kty must be set';
  if (use === 'x509-svid') return readAuthority(x5c);
  if (typeof kid !== 'string' || kid === '') return 'kid must be set where use is jwt-svid';
  try {
    const publicKey = createPublicKey({ key: key as JsonWebKey, format: 'jwk' });
    return { kind: 'jwt', keyId: kid, publicKey: publicKey.export({ type: 'spki', format: 'der' }) };
  } catch {
    return `is no ${kty} key`;
  }
}

function readAuthority(x5c: unknown): Read | string {
  const [first, ...more] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  if (typeof first !== 'string' || more.length > 0) return 'x5c must hold exactly one certificate where use is x509-svid';
  const certificate = parseCertificate(Buffer.from(first, 'base64'));
  if (!certificate.ok) return `x5c: ${certificate.violations[0]?.message ?? 'not a certificate'}`;
  return certificate.value.extensions.basicConstraints?.ca === true
    ? { kind: 'x509', der: certificate.value.der }
    : 'x5c: not a certificate of an authority';
}

function wrong(path: string, message: string): Checked<never> {
  return reject([{ path, message }]);
}
