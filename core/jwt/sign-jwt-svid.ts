import { type KeyObject, sign } from 'node:crypto';
import { clusterClaim } from './jwt-svid.ts';

export interface JwtSvidInput {
  /** SPIFFE id. */
  readonly subject: string;
  /** What `audienceFault` has nothing against. */
  readonly audiences: readonly string[];
  readonly cluster: string;
  /** Unix ms; both are cut to whole seconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** Names this token in logs. */
  readonly id: string;
}

export interface SignedJwtSvid {
  /** JWS compact serialisation. A secret: whoever has it is the subject. */
  readonly token: string;
  /** Unix ms. */
  readonly expiresAt: number;
}

/** JWT-SVID §2-4, ES256. `key`: P-256. */
export function signJwtSvid(key: KeyObject, keyId: string, input: JwtSvidInput): SignedJwtSvid {
  const { subject, audiences, cluster, id } = input;
  const [iat, exp] = [Math.floor(input.issuedAt / 1_000), Math.floor(input.expiresAt / 1_000)];
  const header = { alg: 'ES256', kid: keyId, typ: 'JWT' };
  const claims = { sub: subject, aud: audiences.length === 1 ? audiences[0] : audiences, exp, iat, jti: id, [clusterClaim]: cluster };
  const signed = `${encoded(header)}.${encoded(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return { token: `${signed}.${signature.toString('base64url')}`, expiresAt: exp * 1_000 };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
