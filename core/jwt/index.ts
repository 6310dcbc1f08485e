export { isKnownAlgorithm, signatureHolds } from './algorithms.ts';
export { audienceFault } from './audiences.ts';
export { clusterClaim, type JwtClaims, lifetimeLimits } from './jwt-svid.ts';
export { keyIdOf, publicJwk } from './public-jwk.ts';
export { type JwtSvidInput, type SignedJwtSvid, signJwtSvid } from './sign-jwt-svid.ts';
export { type JwtSvidFault, type JwtSvidVerdict, type JwtTrust, verifyJwtSvid } from './verify-jwt-svid.ts';
