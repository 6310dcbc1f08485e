/**
 * In each JWT-SVID of the mesh: the cluster whose key signed it, checked against that key. A certificate's issuer is constrained to its cluster; a JWT's
 * is by nothing but this and the verifier. The name is one that nobody else gives to a claim (RFC 7519 §4.2).
 */
export const clusterClaim = 'isthmus.dev/cluster';

/** ms. */
export const lifetimeLimits = { least: 1_000, usual: 300_000, most: 3_600_000 } as const;

export type JwtClaims = Readonly<Record<string, unknown>>;
