import { type Certificate, parseCertificate, signedBy } from '../../../../core/pki/index.ts';
import type { RefusalReason } from '../../../telemetry/index.ts';

const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyUse = '2.5.29.37.0';

export type ChainVerdict =
  | { readonly ok: true; readonly leaf: Certificate }
  | { readonly ok: false; readonly why: RefusalReason; readonly reason: string };

const refuse = (why: RefusalReason, reason: string): ChainVerdict => ({ ok: false, why, reason });

/**
 * A path from the leaf, over the certificates that follow it in order, to one of the authorities (RFC 5280 §6.1, without policies; name constraints
 * are refused, not read). The leaf is for signing by a client. Never throws. `now` is Unix ms.
 */
export function verifyClientChain(chain: readonly Uint8Array[], authorities: readonly Certificate[], now: number): ChainVerdict {
  const path: Certificate[] = [];
  for (const der of chain) {
    const parsed = parseCertificate(der);
    if (!parsed.ok) return refuse('malformed', parsed.violations[0]?.message ?? 'not a certificate');
    path.push(parsed.value);
  }
  const [leaf, ...above] = path;
  const last = path.at(-1);
  if (leaf === undefined || last === undefined) return refuse('malformed', 'no certificate');
  const authority = authorities.find((each) => signedBy(last, each));
  if (authority === undefined) return refuse('untrusted-issuer', 'the chain does not end at one of the authorities');
  const issuers = [...above, authority];
  for (const [index, certificate] of [leaf, ...above].entries()) {
    const issuer = issuers[index];
    if (issuer === undefined || !signedBy(certificate, issuer))
      return refuse('untrusted-issuer', 'a certificate is not signed by the next');
  }
  for (const [index, issuer] of issuers.entries()) {
    const fault = issuerFault(issuer, index);
    if (fault !== undefined) return refuse('untrusted-issuer', fault);
  }
  for (const certificate of [leaf, ...issuers]) {
    if (now < certificate.notBefore)
      return refuse('not-yet-valid', `a certificate of the chain is not valid yet (serial ${certificate.serial})`);
    if (now > certificate.notAfter) return refuse('expired', `a certificate of the chain has expired (serial ${certificate.serial})`);
  }
  const fault = leafFault(leaf);
  return fault === undefined ? { ok: true, leaf } : refuse('bad-certificate', fault);
}

/** `below`: signing certificates between it and the leaf. */
function issuerFault(issuer: Certificate, below: number): string | undefined {
  const { basicConstraints, keyUsage, nameConstraints, unknownCritical } = issuer.extensions;
  if (basicConstraints?.ca !== true || (keyUsage !== undefined && !keyUsage.keyCertSign)) return 'a certificate of the chain may sign none';
  if (basicConstraints.pathLength !== undefined && basicConstraints.pathLength < below)
    return 'the chain is longer than an authority allows';
  if (nameConstraints !== undefined) return 'a certificate of the chain has name constraints, which are not read here';
  if (unknownCritical.length > 0) return `a certificate of the chain has an unknown critical extension ${unknownCritical[0]}`;
  return undefined;
}

function leafFault({ extensions }: Certificate): string | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage, unknownCritical } = extensions;
  if (unknownCritical.length > 0) return `the certificate has an unknown critical extension ${unknownCritical[0]}`;
  if (basicConstraints?.ca === true) return 'a signing certificate is no proof of a machine';
  if (keyUsage !== undefined && !keyUsage.digitalSignature) return 'the certificate is not for digital signatures';
  if (extendedKeyUsage !== undefined && ![clientAuth, anyUse].some((use) => extendedKeyUsage.includes(use)))
    return 'the certificate is not for clients';
  return undefined;
}
