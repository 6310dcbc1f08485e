export { JwtIssuance } from './jwt-issuance.ts';
export { JwtKeyRing, type JwtKeyState, type SigningJwtKey } from './jwt-key-ring.ts';
export { type OfferedJwtKey, PeerJwtKeys } from './peer-jwt-keys.ts';
