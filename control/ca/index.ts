export type { AttestationRequest, AttestationVerdict, Attestor, Claims, Grant, ServiceClaim } from './attestor/contract.ts';
export type { CreatedToken, TokenRecord, TokenRequest } from './attestor/join-token/index.ts';
export {
  createToken,
  inCidrs,
  JoinTokenAttestor,
  listTokens,
  revokeToken,
  voidOutstandingTokens,
} from './attestor/join-token/index.ts';
export type { AuthorityOptions, PeerAnchors } from './authority.ts';
export { Authority } from './authority.ts';
export type { AttestInput, IssuanceOptions, IssuedSvid } from './issuance.ts';
export { Issuance } from './issuance.ts';
export { Ledger } from './ledger.ts';
export { ownSvidSource } from './own-svid.ts';
export type { Root } from './root.ts';
export { caInit, loadRoot, signIntermediate } from './root.ts';
export { keepAuthority } from './upkeep.ts';
