import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { JwtAlgorithm } from '../../../../core/config/index.ts';
import { sha256Hex } from '../../../../core/pki/index.ts';
import { type ProofVerdict, refuseProof as refuse } from '../prover.ts';
import type { KeySet } from './key-set.ts';

/** A token of ours is below 2 KiB; those of others carry lists of groups. */
const maxBytes = 16 * 1024;
const toleranceMs = 60_000;

export interface JwtRules {
  /** In messages, and before what a token is remembered by. */
  readonly issuerName: string;
  /** What `iss` must be; undefined: it says nothing that counts. */
  readonly issuer?: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly JwtAlgorithm[];
  readonly maxLifetimeMs: number;
  /** Claims without which a token is of no use. */
  readonly required: readonly string[];
}

export interface VerifiedJwt {
  readonly claims: JWTPayload;
  /** What no second key may use, and until when that matters; Unix ms. */
  readonly once: string;
  readonly onceUntil: number;
}

type Refused = Extract<ProofVerdict, { ok: false }>;

/**
 * A compact JWS over claims (RFC 7519), by a key of the issuer: signature, algorithm, audience, issuer, times. Keys that the token itself names
 * (jwk, jku, x5u) count for nothing. Never throws.
 */
export async function verifyJwt(
  proof: Uint8Array,
  keys: KeySet,
  rules: JwtRules,
  now: number,
): Promise<{ ok: true; jwt: VerifiedJwt } | Refused> {
  if (proof.length > maxBytes) return refuse('unproven', 'too-large', `the token is longer than ${maxBytes} bytes`);
  const text = Buffer.from(proof).toString('latin1').trim();
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(text)) return refuse('unproven', 'malformed', 'the proof is no JWT');
  const first = await attempt(text, keys, rules, now, false);
  // The issuer may have a new key since.
  const verdict = !first.ok && first.why === 'unknown-key' ? await attempt(text, keys, rules, now, true) : first;
  return verdict.ok ? judgeTimes(text, verdict.claims, rules, now) : verdict;
}

async function attempt(
  text: string,
  keys: KeySet,
  rules: JwtRules,
  now: number,
  newer: boolean,
): Promise<{ ok: true; claims: JWTPayload } | Refused> {
  try {
    const find = await keys.keys(newer);
    if (find === undefined)
      return refuse('unavailable', 'issuer-unavailable', `the keys of ${rules.issuerName} are not known: ${keys.fault}`);
    const { payload } = await jwtVerify(text, find, {
      algorithms: [...rules.algorithms],
      audience: [...rules.audiences],
      requiredClaims: ['exp', 'aud', ...rules.required],
      currentDate: new Date(now),
      clockTolerance: toleranceMs / 1_000,
      ...(rules.issuer === undefined ? {} : { issuer: rules.issuer }),
    });
    return { ok: true, claims: payload };
  } catch (error) {
    return refusalOf(error, rules);
  }
}

function judgeTimes(text: string, claims: JWTPayload, rules: JwtRules, now: number): { ok: true; jwt: VerifiedJwt } | Refused {
  const { exp = 0, iat, nbf, jti } = claims;
  const madeAt = iat ?? nbf;
  if (madeAt !== undefined && madeAt * 1_000 > now + toleranceMs) return refuse('unproven', 'not-yet-valid', 'the token is of the future');
  const lifetime = exp * 1_000 - (madeAt === undefined ? now : madeAt * 1_000);
  if (lifetime > rules.maxLifetimeMs)
    return refuse('unproven', 'too-long-lived', `the token lives ${Math.round(lifetime / 1_000)} s, longer than is accepted`);
  if (jti !== undefined && (typeof jti !== 'string' || jti === '' || jti.length > 512))
    return refuse('unproven', 'malformed', 'jti is no text of at most 512 characters');
  // What is signed, so that no other spelling of the signature is another token.
  const once = jti ?? sha256Hex(text.slice(0, text.lastIndexOf('.')));
  return { ok: true, jwt: { claims, once: `jwt\0${rules.issuerName}\0${once}`, onceUntil: exp * 1_000 + toleranceMs } };
}

/** jose's messages name claims and algorithms, and repeat nothing of the token. */
function refusalOf(error: unknown, rules: JwtRules): Refused {
  const unproven = (why: Refused['why'], reason: string) => refuse('unproven', why, reason);
  if (error instanceof errors.JWTExpired) return unproven('expired', 'the token has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return unproven('missing-claim', `the token has no ${claim}`);
    if (claim === 'aud') return unproven('wrong-audience', `the token is for another audience than ${rules.audiences.join(' or ')}`);
    if (claim === 'iss') return unproven('untrusted-issuer', `the token is not of ${rules.issuerName}`);
    if (claim === 'nbf' && reason === 'check_failed') return unproven('not-yet-valid', 'the token is not valid yet');
    return unproven('malformed', `the token's ${claim} cannot be`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return unproven('wrong-algorithm', `the token's algorithm is none of ${rules.algorithms.join(', ')}`);
  if (error instanceof errors.JWSSignatureVerificationFailed) return unproven('bad-signature', 'the signature of the token does not hold');
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return unproven('unknown-key', `the token names no key of ${rules.issuerName}`);
  return unproven('malformed', 'the proof is no JWT that can be read');
}
