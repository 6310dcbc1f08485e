import { clusterSan, formatSpiffeId, isDnsLabel, parseSpiffeId, type SpiffeId } from '../model/index.ts';
import type { TrustBundle } from './bundle.ts';
import { type Certificate, fingerprintOf, parseCertificate } from './certificate.ts';
import { anchor, type CompiledBundle, compileBundle } from './compiled-bundle.ts';
import { intermediateName } from './issue.ts';
import { oid } from './oids.ts';
import { issuerFault, signedBy } from './path.ts';

/** What the caller demands of a peer beyond being of the trust domain. Fields that are absent demand nothing. */
export interface PeerExpectation {
  /** Any of these SPIFFE ids, exactly. Empty: nobody. */
  readonly uriSans?: readonly string[];
  /** And this cluster, by its SAN: `CLUSTER.cluster.TRUST_DOMAIN`. */
  readonly clusterSan?: string;
}

export interface VerifiedPeer {
  readonly ok: true;
  readonly spiffeId: SpiffeId;
  readonly cluster: string;
  /** Of the leaf, lower-case hex. */
  readonly serial: string;
  /** Unix ms. */
  readonly notAfter: number;
  /** SHA-256 of the root that vouches, lower-case hex; absent where nothing but the leaf could be seen. */
  readonly root?: string;
}

/** `reason` is for logs on the verifying side; it names certificates' public contents only. */
export type PeerVerdict = VerifiedPeer | { readonly ok: false; readonly reason: string };

const longestChain = 4;

/**
 * Verifies a peer's chain (leaf first; what follows may be in any order or absent where the bundle has it) at `now`, Unix ms.
 *
 * Holds when: a path leads over exactly one signing certificate of the leaf's cluster to a root of the bundle; every certificate on it is
 * in its time, not denied, and within path length, key usage and name constraints; the leaf is for client and server, has
 * exactly one URI SAN of our form in the bundle's trust domain and exactly one DNS SAN, that of the cluster to whose name
 * its issuer is constrained. OpenSSL lets a leaf without DNS SAN pass any DNS constraint; here it is refused.
 * Never throws, whatever the bytes.
 */
export function verifySvid(chain: readonly Uint8Array[], bundle: TrustBundle, now: number, expectation: PeerExpectation = {}): PeerVerdict {
  return guarded(() => verify(chain, compileBundle(bundle), now, expectation, false));
}

/**
 * The same for a peer whose handshake OpenSSL has verified against the bundle's roots, when all that can be seen of its chain is the leaf: servers
 * on Node 24.21 (nodejs/node#65579). Path, path length and name constraints were OpenSSL's then; everything about the leaf is checked here, and
 * that its issuer goes by the name that roots give to that cluster's intermediate. An issuer that the bundle has is used as ever; one that it
 * does not have yet is a newer one of that cluster, as no other cluster's passes OpenSSL's name constraints.
 */
export function verifyHandshakenLeaf(leaf: Uint8Array, bundle: TrustBundle, now: number, expectation: PeerExpectation = {}): PeerVerdict {
  return guarded(() => verify([leaf], compileBundle(bundle), now, expectation, true));
}

function guarded(judge: () => PeerVerdict): PeerVerdict {
  try {
    return judge();
  } catch (error) {
    return refuse(error instanceof Refusal ? error.message : 'certificate could not be read');
  }
}

class Refusal extends Error {}

const refuse = (reason: string): PeerVerdict => ({ ok: false, reason });

function verify(
  chain: readonly Uint8Array[],
  bundle: CompiledBundle,
  now: number,
  expectation: PeerExpectation,
  handshaken: boolean,
): PeerVerdict {
  if (chain.length === 0) return refuse('no certificate');
  if (chain.length > longestChain) return refuse(`chain of more than ${longestChain} certificates`);
  const [leaf, ...others] = chain.map(parsed) as [Certificate, ...Certificate[]];
  const names = leafNames(leaf, bundle.trustDomain);
  checkLeafUse(leaf);
  const candidates = [...others, ...bundle.intermediates].filter((each) => leaf.issuer.equals(each.subject));
  const unseen =
    handshaken &&
    leaf.issuer.equals(intermediateName(names.cluster, bundle.trustDomain)) &&
    !candidates.some((candidate) => signedBy(leaf, candidate));
  const path = unseen ? [] : findPath(leaf, candidates, bundle, names.san);
  for (const certificate of [leaf, ...path]) checkInForce(certificate, bundle, now);
  const uri = formatSpiffeId(names.spiffeId);
  if (expectation.clusterSan !== undefined && expectation.clusterSan !== names.san)
    return refuse(`is ${names.san}, expected ${expectation.clusterSan}`);
  if (expectation.uriSans !== undefined && !expectation.uriSans.includes(uri)) {
    return refuse(`is ${uri}, expected ${expectation.uriSans.join(' or ') || 'nobody'}`);
  }
  return {
    ok: true,
    spiffeId: names.spiffeId,
    cluster: names.cluster,
    serial: leaf.serial,
    notAfter: Math.min(...[leaf, ...path].map((each) => each.notAfter)),
    ...(path[1] === undefined ? {} : { root: fingerprintOf(path[1]) }),
  };
}

function parsed(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Refusal(result.violations[0]?.message ?? 'not a certificate');
  return result.value;
}

function leafNames(leaf: Certificate, trustDomain: string): { spiffeId: SpiffeId; cluster: string; san: string } {
  const names = leaf.extensions.subjectAltName;
  if (names === undefined || names.uris.length !== 1) throw new Refusal('the leaf has not exactly one URI SAN');
  if (names.dns.length !== 1) throw new Refusal('the leaf has not exactly one DNS SAN, so no cluster vouches for it');
  if (names.others > 0) throw new Refusal('the leaf has SANs that are neither URI nor DNS');
  const spiffeId = parseSpiffeId(names.uris[0] ?? '');
  if (spiffeId === undefined) throw new Refusal('the URI SAN is not spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT');
  if (spiffeId.trustDomain !== trustDomain) throw new Refusal(`is of trust domain ${spiffeId.trustDomain}, not ${trustDomain}`);
  const san = names.dns[0] ?? '';
  const cluster = san.slice(0, Math.max(0, san.indexOf('.')));
  if (!isDnsLabel(cluster) || san !== clusterSan(cluster, trustDomain))
    throw new Refusal(`the DNS SAN is not CLUSTER.cluster.${trustDomain}`);
  return { spiffeId, cluster, san };
}

function checkLeafUse(leaf: Certificate): void {
  const { basicConstraints, keyUsage, extendedKeyUsage, unknownCritical } = leaf.extensions;
  if (unknownCritical.length > 0) throw new Refusal(`the leaf has an unknown critical extension ${unknownCritical[0]}`);
  if (basicConstraints?.ca === true || keyUsage?.keyCertSign === true) throw new Refusal('a signing certificate is no identity');
  if (keyUsage?.digitalSignature !== true) throw new Refusal('the leaf is not for digital signatures');
  for (const use of [oid.serverAuth, oid.clientAuth]) {
    if (extendedKeyUsage?.includes(use) !== true) throw new Refusal('the leaf is not for both client and server authentication');
  }
}

function checkInForce(certificate: Certificate, bundle: CompiledBundle, now: number): void {
  if (now < certificate.notBefore) throw new Refusal(`not valid before ${new Date(certificate.notBefore).toISOString()}`);
  if (now > certificate.notAfter) throw new Refusal(`expired at ${new Date(certificate.notAfter).toISOString()}`);
  if (bundle.denied.has(certificate.serial)) throw new Refusal(`serial ${certificate.serial} is denied`);
}

/** The candidates' first fault is what is reported: the true one is the best hint there is. */
function findPath(leaf: Certificate, candidates: readonly Certificate[], bundle: CompiledBundle, san: string): Certificate[] {
  let fault: string | undefined;
  for (const candidate of candidates) {
    const anchored = anchor(bundle, candidate);
    const intermediate = anchored?.certificate ?? candidate;
    if (!signedBy(leaf, intermediate)) continue;
    const found = anchored === undefined ? 'its issuer does not chain to a root of the bundle' : issuerFault(intermediate, san);
    if (anchored !== undefined && found === undefined) return [intermediate, anchored.root];
    fault ??= found;
  }
  throw new Refusal(fault ?? 'no issuer of the leaf is known');
}
