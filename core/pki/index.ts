export type { JwtKey, TrustBundle } from './bundle.ts';
export { allRoots, bundleOf, withOthers } from './bundle.ts';
export type { Certificate } from './certificate.ts';
export { fingerprintOf, parseCertificate } from './certificate.ts';
export type { CertificateRequest } from './csr.ts';
export { createCsr, parseCsr } from './csr.ts';
export type { Issuer } from './issue.ts';
export { anchorOf, issueBootstrap, issueIntermediate, issueLeaf, issueLeafWithNames, issueRoot } from './issue.ts';
export {
  detached,
  generateKey,
  isP256,
  keyFromPem,
  keyToPem,
  publicKeyFromSpki,
  sha256Hex,
  signatureHolds,
  signingAlgorithm,
  spkiOf,
} from './keys.ts';
export { issuerFault, rootFault, signedBy } from './path.ts';
export { certificatesToPem, csrToPem, pemBlocks } from './pem.ts';
export { pkcs12KeyStore, pkcs12TrustStore } from './pkcs12.ts';
export { isSerialOf } from './serial.ts';
export type { PeerExpectation, PeerVerdict, VerifiedPeer } from './verify.ts';
export { verifyHandshakenLeaf, verifySvid } from './verify.ts';
export type { ForeignVerdict, VerifiedForeigner } from './verify-foreign.ts';
export { verifyForeign } from './verify-foreign.ts';
export type { AnyPeerVerdict } from './verify-peer.ts';
export { verifyPeer } from './verify-peer.ts';
