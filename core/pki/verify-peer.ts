import type { TrustBundle } from './bundle.ts';
import { parseCertificate } from './certificate.ts';
import { type PeerExpectation, type VerifiedPeer, verifyHandshakenLeaf, verifySvid } from './verify.ts';
import { type VerifiedForeigner, verifyForeign } from './verify-foreign.ts';

/** A peer of the mesh's own trust domain has no `foreign`. */
export type AnyPeerVerdict =
  | (VerifiedPeer & { readonly foreign?: never })
  | VerifiedForeigner
  | { readonly ok: false; readonly foreign?: never; readonly reason: string };

/**
 * Whoever is at the other end, judged as one of the trust domain that the leaf names, against that domain's authorities alone: the mesh's own
 * by `verifySvid`, those of `trust.others` by `verifyForeign`. An authority of one domain vouches for nobody of another. Never throws.
 *
 * `handshaken`: OpenSSL has verified it against all of these together and shows no more than the leaf (see verifyHandshakenLeaf). Which
 * authority it was then cannot be seen, so beside other domains the issuer must be one that the bundle has.
 */
export function verifyPeer(
  chain: readonly Uint8Array[],
  trust: TrustBundle,
  now: number,
  expectation: PeerExpectation = {},
  handshaken = false,
): AnyPeerVerdict {
  const { others = [] } = trust;
  const [leaf] = chain;
  if (leaf !== undefined && handshaken && others.length === 0) return verifyHandshakenLeaf(leaf, trust, now, expectation);
  const named = others.length === 0 ? undefined : trustDomainOf(leaf);
  if (named === undefined || named === trust.trustDomain) return verifySvid(chain, trust, now, expectation);
  const other = others.find((each) => each.trustDomain === named);
  if (other === undefined) return { ok: false, reason: `is of trust domain ${named}, which is neither ${trust.trustDomain} nor federated` };
  return verifyForeign(chain, other, now, expectation);
}

/** Undefined where it is not plain: the mesh's own verifier says then what is wrong. */
function trustDomainOf(der: Uint8Array | undefined): string | undefined {
  const leaf = der === undefined ? undefined : parseCertificate(der);
  const uris = leaf?.ok === true ? (leaf.value.extensions.subjectAltName?.uris ?? []) : [];
  return uris.length === 1 ? /^spiffe:\/\/([^/]+)/.exec(uris[0] ?? '')?.[1] : undefined;
}
