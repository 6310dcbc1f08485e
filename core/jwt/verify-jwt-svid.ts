import { parseSpiffeId, parseWorkloadId } from '../model/index.ts';
import { type JwtKey, publicKeyFromSpki, type TrustBundle } from '../pki/index.ts';
import { isKnownAlgorithm, signatureHolds } from './algorithms.ts';
import { clusterClaim, type JwtClaims } from './jwt-svid.ts';

/** Closed: they are labels of metrics. */
export type JwtSvidFault =
  | 'bad-signature'
  | 'expired'
  | 'malformed'
  | 'missing-claim'
  | 'not-yet-valid'
  | 'too-long-lived' // it outlives the key that signed it
  | 'unknown-key'
  | 'wrong-algorithm'
  | 'wrong-audience'
  | 'wrong-cluster' // it names another cluster than the one whose key signed it
  | 'wrong-name' // that key may not sign for its subject
  | 'wrong-trust-domain';

export type JwtSvidVerdict =
  | { readonly ok: true; readonly spiffeId: string; readonly claims: JwtClaims }
  /** `reason` is for whoever sent it as well: it repeats nothing of the token but names of keys, clusters and trust domains. */
  | { readonly ok: false; readonly why: JwtSvidFault; readonly reason: string };

export type JwtTrust = Pick<TrustBundle, 'trustDomain' | 'jwtKeys'>;

const mostChars = 16_384;
/** As go-spiffe's: clocks differ. */
const leewayMs = 60_000;
const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const knownHeaders = new Set(['alg', 'kid', 'typ']);

/** Thrown within, never without. */
class Refusal extends Error {
  readonly why: JwtSvidFault;

  constructor(why: JwtSvidFault, reason: string) {
    super(reason);
    this.why = why;
  }
}

/**
 * JWT-SVID §2-4 and appendix A, against the bundle of the subject's trust domain alone. Of the mesh's own a token also has to name the cluster of the key
 * that signed it, and its subject has to be one that this key may sign for. `now`: Unix ms. Pure; never throws.
 */
export function verifyJwtSvid(token: string, audience: string, bundles: readonly JwtTrust[], now: number): JwtSvidVerdict {
  try {
    return { ok: true, ...verified(token, audience, bundles, now) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, why: error.why, reason: error.message };
    throw error;
  }
}

function verified(token: string, audience: string, bundles: readonly JwtTrust[], now: number) {
  if (token.length > mostChars) throw new Refusal('malformed', `the token is longer than ${mostChars} characters`);
  if (!form.test(token)) throw new Refusal('malformed', 'the token is no JWS in compact serialisation');
  const [head = '', payload = '', signature = ''] = token.split('.');
  const { alg, kid } = readHeader(objectOf(head, 'header'));
  const claims = objectOf(payload, 'payload');
  checkTimes(claims, now);
  checkAudience(claims['aud'], audience);
  const { sub } = claims;
  if (sub === undefined) throw new Refusal('missing-claim', 'the token has no sub');
  const subject = typeof sub === 'string' ? parseWorkloadId(sub) : undefined;
  if (typeof sub !== 'string' || subject === undefined) throw new Refusal('malformed', 'sub is no SPIFFE id');
  const keys = bundles.find(({ trustDomain }) => trustDomain === subject.trustDomain)?.jwtKeys ?? [];
  if (keys.length === 0) throw new Refusal('wrong-trust-domain', `no JWT keys of the trust domain ${subject.trustDomain} are known here`);
  const key = keyFor(keys, kid, claims);
  const spki = publicKeyFromSpki(key.publicKey);
  const bytes = [Buffer.from(`${head}.${payload}`), Buffer.from(signature, 'base64url')] as const;
  if (spki === undefined || !signatureHolds(alg, spki, ...bytes))
    throw new Refusal('bad-signature', `the signature does not hold by the key ${kid} and ${alg}`);
  checkRight(key, sub, claims, now);
  return { spiffeId: sub, claims };
}

function objectOf(part: string, name: string): JwtClaims {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JwtClaims;
  } catch {
    // As below.
  }
  throw new Refusal('malformed', `the ${name} is no JSON object`);
}

function readHeader(header: JwtClaims): { readonly alg: string; readonly kid: string } {
  const { alg, kid, typ } = header;
  // Ed25519 is none of §2.1.
  if (typeof alg !== 'string' || !isKnownAlgorithm(alg) || alg === 'EdDSA')
    throw new Refusal('wrong-algorithm', 'alg must be RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384 or PS512');
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') throw new Refusal('malformed', 'typ must be JWT or JOSE');
  if (Object.keys(header).some((name) => !knownHeaders.has(name)))
    throw new Refusal('malformed', 'the header must hold alg, kid and typ alone');
  if (typeof kid !== 'string' || kid === '' || kid.length > 256) throw new Refusal('unknown-key', 'the header names no key (kid)');
  return { alg, kid };
}

function checkTimes({ exp, nbf, iat }: JwtClaims, now: number): void {
  if (exp === undefined) throw new Refusal('missing-claim', 'the token has no exp');
  if ([exp, nbf, iat].some((time) => time !== undefined && (typeof time !== 'number' || time < 0)))
    throw new Refusal('malformed', 'exp, nbf and iat must be numbers');
  if ((exp as number) * 1_000 + leewayMs < now) throw new Refusal('expired', 'the token has expired');
  const early = [nbf, iat].some((time) => typeof time === 'number' && time * 1_000 - leewayMs > now);
  if (early) throw new Refusal('not-yet-valid', 'the token is not valid yet: compare the clocks');
}

function checkAudience(aud: unknown, audience: string): void {
  if (aud === undefined) throw new Refusal('missing-claim', 'the token has no aud');
  const named: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (named.some((each) => typeof each !== 'string')) throw new Refusal('malformed', 'aud must be a text or a list of them');
  if (!named.includes(audience)) throw new Refusal('wrong-audience', 'the token is for another audience');
}

/** Of keys with one name, as clusters may claim: the one of the cluster that the token names. */
function keyFor(keys: readonly JwtKey[], kid: string, claims: JwtClaims): JwtKey {
  const named = keys.filter(({ keyId }) => keyId === kid);
  if (named.length === 0) throw new Refusal('unknown-key', `the key ${kid} is none of that trust domain, or not known yet`);
  const key = named.find(({ cluster }) => cluster === '' || cluster === claims[clusterClaim]);
  if (key === undefined)
    throw new Refusal('wrong-cluster', `the key ${kid} is of cluster ${named[0]?.cluster}, and the token does not name that cluster`);
  return key;
}

function checkRight({ keyId, cluster, notAfterMs, namespaces }: JwtKey, sub: string, { exp }: JwtClaims, now: number): void {
  if (notAfterMs !== 0 && notAfterMs < now) throw new Refusal('unknown-key', `the key ${keyId} has ended`);
  if (notAfterMs !== 0 && (exp as number) * 1_000 > notAfterMs)
    throw new Refusal('too-long-lived', `the token outlives the key ${keyId}, by which its issuer signs no such token`);
  const namespace = cluster === '' ? undefined : parseSpiffeId(sub)?.namespace;
  if (cluster !== '' && namespace === undefined) throw new Refusal('malformed', 'sub is no identity of the mesh');
  if (namespaces.includes('*') || (namespace !== undefined && namespaces.includes(namespace))) return;
  throw new Refusal('wrong-name', `the keys of cluster ${cluster} may not sign for this subject's namespace`);
}
