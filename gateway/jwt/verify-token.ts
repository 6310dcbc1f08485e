import type { TokenRule } from '../../core/authz/index.ts';
import { isKnownAlgorithm, signatureHolds } from '../../core/jwt/index.ts';
import type { IssuerKey } from './keys.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** What a token says, when it holds. */
export interface VerifiedToken {
  readonly claims: Claims;
  /** As it stands in the token, base64url. */
  readonly payload: string;
}

export type TokenResult =
  | { readonly ok: true; readonly token: VerifiedToken }
  /** In Envoy's words. `unknown-issuer`: it is for none that this rule is of. */
  | { readonly ok: false; readonly kind: 'unknown-issuer' | 'audience' | 'invalid'; readonly text: string };

/** As Envoy's default: clocks differ. */
const skewS = 60;
const mostChars = 16_384;

const invalid = (text: string): TokenResult => ({ ok: false, kind: 'invalid', text });

/** RFC 7519 §7.2 in Envoy's order: form, issuer, times, audience, signature. `nowMs`: Unix. Pure; never throws. */
export function verifyToken(
  text: string,
  rule: Pick<TokenRule, 'issuer' | 'audiences' | 'spaceDelimitedClaims'>,
  keys: readonly IssuerKey[],
  nowMs: number,
): TokenResult {
  const parts = text.split('.');
  const [head = '', payload = '', signature = ''] = parts;
  if (parts.length !== 3 || text.length > mostChars)
    return invalid('Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections');
  const header = objectOf(head);
  if (header === undefined) return invalid('Jwt header is an invalid JSON');
  const { alg, kid } = header;
  if (typeof alg !== 'string') return invalid('Jwt header [alg] field is required and must be a string');
  // RFC 7515 §4.1.11: extensions that must be understood, of which none is.
  if (!isKnownAlgorithm(alg) || header['crit'] !== undefined) return invalid('Jwt header [alg] is not supported');
  if (kid !== undefined && typeof kid !== 'string') return invalid('Jwt header [kid] field is not a string');
  const claims = objectOf(payload);
  if (claims === undefined) return invalid('Jwt payload is an invalid JSON');
  const fault = faultOf(claims, rule, nowMs);
  if (fault !== undefined) return fault;
  if (!base64url.test(signature)) return invalid('Jwt signature is an invalid Base64url encoded');
  const [signed, bytes] = [Buffer.from(`${head}.${payload}`), Buffer.from(signature, 'base64url')];
  const fits = (key: IssuerKey) =>
    (kid === undefined || key.id === '' || key.id === kid) && (key.algorithm === '' || key.algorithm === alg);
  const holds = keys.some((key) => fits(key) && signatureHolds(alg, key.key, signed, bytes));
  if (!holds) return invalid(keys.length === 0 ? "Jwks doesn't have any valid public key" : 'Jwt verification fails');
  return { ok: true, token: { claims: asLists(claims, rule.spaceDelimitedClaims), payload } };
}

/** What does not depend on keys, and on the time. */
export function faultOf(claims: Claims, rule: Pick<TokenRule, 'issuer' | 'audiences'>, nowMs: number): TokenResult | undefined {
  const { iss, aud, exp, nbf } = claims;
  if (iss !== rule.issuer) return { ok: false, kind: 'unknown-issuer', text: 'Jwt issuer is not configured' };
  if (!isTime(exp) || !isTime(nbf)) return invalid('Jwt payload is an invalid JSON');
  const now = Math.floor(nowMs / 1_000);
  if (nbf !== undefined && nbf > now + skewS) return invalid('Jwt not yet valid');
  if (exp !== undefined && now > exp + skewS) return invalid('Jwt is expired');
  const named = (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === 'string').map(plainAudience);
  const wanted = rule.audiences.map(plainAudience);
  if (wanted.length > 0 && !named.some((each) => wanted.includes(each))) {
    return { ok: false, kind: 'audience', text: 'Audiences in Jwt are not allowed' };
  }
  return undefined;
}

/** A service's URL is the same audience with and without scheme, and with and without a slash at its end, as Envoy has it. */
function plainAudience(text: string): string {
  return text.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && value >= 0);
}

const base64url = /^[A-Za-z0-9_-]+$/;

function objectOf(part: string): Claims | undefined {
  if (!base64url.test(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 8693 §4.2: a text of several words is a list of them. */
function asLists(claims: Claims, more: readonly string[]): Claims {
  const names = ['scope', 'permission', ...more].filter((name) => Object.hasOwn(claims, name) && typeof claims[name] === 'string');
  if (names.length === 0) return claims;
  const lists = names.map(
    (name) =>
      [
        name,
        String(claims[name])
          .split(' ')
          .filter((word) => word !== ''),
      ] as const,
  );
  return { ...claims, ...Object.fromEntries(lists) };
}
