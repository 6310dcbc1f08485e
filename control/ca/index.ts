export { inCidrs } from '../../core/cidr.ts';
export type { AttestationRequest, AttestationVerdict, Attestor, Claims, Grant, ServiceClaim } from './attestor/contract.ts';
export type { CreatedToken, TokenRecord, TokenRequest } from './attestor/join-token/index.ts';
export {
  createToken,
  grantsOfToken,
  JoinTokenAttestor,
  listTokens,
  openTokensOf,
  revokeToken,
  shutOut,
  voidOutstandingTokens,
} from './attestor/join-token/index.ts';
export type { AttestorSurroundings, ClosableAttestor } from './attestor/policy/index.ts';
export { createAttestor } from './attestor/policy/index.ts';
export { Authority } from './authority.ts';
export type { AuthorityOptions, PeerAnchors } from './authority-options.ts';
export { collectArchive, decodeArchive, deniedIn, encodeArchive, restoreArchive } from './backup/archive.ts';
export { seal, unseal } from './backup/seal.ts';
export { HttpSigner } from './external/http-signer.ts';
export { rootFromPkcs12 } from './external/pkcs12.ts';
export type { AttestInput, IssuanceOptions, IssuedSvid } from './issuance.ts';
export { Issuance } from './issuance.ts';
export type { JwtKeyState, OfferedJwtKey } from './jwt/index.ts';
export { JwtIssuance, JwtKeyRing, PeerJwtKeys } from './jwt/index.ts';
export { holderName, Ledger } from './ledger.ts';
export { ownSvidSource } from './own-svid.ts';
export type { Root } from './root.ts';
export { caImport, caInit, issuerFromPem, loadRoot, loadRoots, signIntermediate } from './root.ts';
export type { RotationView } from './rotation/driver.ts';
export { RotationDriver } from './rotation/driver.ts';
export { TrustKeeper } from './rotation/keeper.ts';
export { RootFolder } from './rotation/root-folder.ts';
export { RootReports } from './rotation/root-reports.ts';
export { rootOver } from './rotation/statement.ts';
export { keepAuthority } from './upkeep.ts';
