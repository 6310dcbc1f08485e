import { formatWorkloadId, parseWorkloadId, type WorkloadId } from '../model/index.ts';
import type { TrustBundle } from './bundle.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { certificatesOf } from './compiled-bundle.ts';
import { constraintFault } from './foreign-constraints.ts';
import { oid } from './oids.ts';
import { signedBy } from './path.ts';
import type { PeerExpectation } from './verify.ts';

/** Who a peer of another trust domain proved to be: that id, and nothing that any rule about our namespaces or clusters could mean. */
export interface VerifiedForeigner {
  readonly ok: true;
  readonly foreign: true;
  readonly id: WorkloadId;
  /** Of the leaf, lower-case hex. */
  readonly serial: string;
  /** Unix ms. */
  readonly notAfter: number;
}

export type ForeignVerdict = VerifiedForeigner | { readonly ok: false; readonly reason: string };

const longestChain = 4;
/** Signatures looked at for one chain: nobody makes the verifier walk a maze. */
const mostChecks = 32;

/**
 * Verifies the chain of a peer of another trust domain (leaf first) against that domain's bundle alone, at `now`, Unix ms: X.509-SVID §5.
 *
 * Holds when: the leaf has exactly one URI SAN, a SPIFFE id with a path in exactly the bundle's trust domain; it is no CA and is for digital
 * signatures; a path leads to an authority of the bundle over signing certificates in their time, within path lengths and name
 * constraints, none of which names another trust domain. Other SANs prove nothing and are not looked at, as constraints alone do.
 * Of an expectation only `uriSans` can hold: whoever demands a cluster of ours demands somebody of ours. Never throws, whatever the bytes.
 */
export function verifyForeign(
  chain: readonly Uint8Array[],
  bundle: TrustBundle,
  now: number,
  expectation: PeerExpectation = {},
): ForeignVerdict {
  try {
    return verify(chain, bundle, now, expectation);
  } catch (error) {
    return refuse(error instanceof Refusal ? error.message : 'certificate could not be read');
  }
}

class Refusal extends Error {}

const refuse = (reason: string): ForeignVerdict => ({ ok: false, reason });

function verify(chain: readonly Uint8Array[], bundle: TrustBundle, now: number, expectation: PeerExpectation): ForeignVerdict {
  if (chain.length === 0) return refuse('no certificate');
  if (chain.length > longestChain) return refuse(`chain of more than ${longestChain} certificates`);
  const [leaf, ...others] = chain.map(parsed) as [Certificate, ...Certificate[]];
  const id = idOf(leaf, bundle.trustDomain);
  checkLeafUse(leaf);
  const path = findPath(leaf, others, certificatesOf(bundle.roots), bundle);
  for (const certificate of [leaf, ...path]) checkInForce(certificate, bundle, now);
  const uri = formatWorkloadId(id);
  if (expectation.clusterSan !== undefined)
    return refuse(`is ${uri}, which is of no cluster of this mesh, expected ${expectation.clusterSan}`);
  if (expectation.uriSans !== undefined && !expectation.uriSans.includes(uri)) {
    return refuse(`is ${uri}, expected ${expectation.uriSans.join(' or ') || 'nobody'}`);
  }
  return { ok: true, foreign: true, id, serial: leaf.serial, notAfter: Math.min(...[leaf, ...path].map((each) => each.notAfter)) };
}

function parsed(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Refusal(result.violations[0]?.message ?? 'not a certificate');
  return result.value;
}

function idOf(leaf: Certificate, trustDomain: string): WorkloadId {
  const uris = leaf.extensions.subjectAltName?.uris ?? [];
  const [uri = ''] = uris;
  if (uris.length !== 1) throw new Refusal('the leaf has not exactly one URI SAN');
  const id = parseWorkloadId(uri);
  if (id === undefined) throw new Refusal('the URI SAN is no SPIFFE id of a workload');
  if (id.trustDomain !== trustDomain) throw new Refusal(`is of trust domain ${id.trustDomain}, not ${trustDomain}`);
  return id;
}

function checkLeafUse({ extensions }: Certificate): void {
  const { basicConstraints, keyUsage, extendedKeyUsage, unknownCritical } = extensions;
  if (unknownCritical.length > 0) throw new Refusal(`the leaf has an unknown critical extension ${unknownCritical[0]}`);
  if (basicConstraints?.ca === true || keyUsage?.keyCertSign === true) throw new Refusal('a signing certificate is no identity');
  if (keyUsage?.digitalSignature !== true) throw new Refusal('the leaf is not for digital signatures');
  // X.509-SVID §4.4: it may be absent; where it is there, both.
  if (extendedKeyUsage === undefined) return;
  for (const use of [oid.serverAuth, oid.clientAuth]) {
    if (!extendedKeyUsage.includes(use)) throw new Refusal('the leaf is not for both client and server authentication');
  }
}

function checkInForce(certificate: Certificate, bundle: TrustBundle, now: number): void {
  if (now < certificate.notBefore) throw new Refusal(`not valid before ${new Date(certificate.notBefore).toISOString()}`);
  if (now > certificate.notAfter) throw new Refusal(`expired at ${new Date(certificate.notAfter).toISOString()}`);
  if (bundle.deniedSerials.includes(certificate.serial)) throw new Refusal(`serial ${certificate.serial} is denied`);
}

/** The issuers from the leaf's to an authority of the bundle. The first fault met is what is reported: the true one is the best hint there is. */
function findPath(leaf: Certificate, offered: readonly Certificate[], roots: readonly Certificate[], bundle: TrustBundle): Certificate[] {
  let checks = 0;
  let fault: string | undefined;
  const signs = (subject: Certificate, issuer: Certificate) => {
    if (!subject.issuer.equals(issuer.subject)) return false;
    checks += 1;
    if (checks > mostChecks) throw new Refusal('its chain leads too many ways');
    return signedBy(subject, issuer);
  };
  const walk = (subject: Certificate, below: readonly Certificate[]): Certificate[] | undefined => {
    for (const [pool, ends] of [[roots, true] as const, [offered, false] as const]) {
      for (const issuer of pool) {
        if (below.includes(issuer) || !signs(subject, issuer)) continue;
        const found = constraintFault(issuer, below, leaf, bundle.trustDomain);
        fault ??= found;
        if (found !== undefined) continue;
        if (ends) return [issuer];
        const above = walk(issuer, [...below, issuer]);
        if (above !== undefined) return [issuer, ...above];
      }
    }
    return undefined;
  };
  const path = walk(leaf, []);
  if (path === undefined) throw new Refusal(fault ?? `no authority of ${bundle.trustDomain} issued it`);
  return path;
}
