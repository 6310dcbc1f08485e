import type { KeyObject } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { publicKeyFromSpki, signatureHolds } from './keys.ts';

/** Reading a key costs as much as a third of a verification; issuers are few and meet many subjects. */
const keys = new WeakMap<Certificate, KeyObject | 'unreadable'>();

function keyOf(certificate: Certificate): KeyObject | 'unreadable' {
  const known = keys.get(certificate) ?? publicKeyFromSpki(certificate.spki) ?? 'unreadable';
  keys.set(certificate, known);
  return known;
}

/** Whether `issuer` named and signed `subject`. Says nothing about whether it may. */
export function signedBy(subject: Certificate, issuer: Certificate): boolean {
  if (!subject.issuer.equals(issuer.subject) || subject.der.equals(issuer.der)) return false;
  const key = keyOf(issuer);
  return key !== 'unreadable' && signatureHolds(subject.signatureAlgorithm, subject.tbs, key, subject.signature);
}

/** Why this certificate vouches for nobody as a root; undefined when it may. Says nothing of its time. */
export function rootFault({ extensions }: Certificate): string | undefined {
  const { basicConstraints, keyUsage, nameConstraints, unknownCritical } = extensions;
  if (basicConstraints?.ca !== true || keyUsage?.keyCertSign === false) return 'it is not a signing certificate';
  if (basicConstraints.pathLength === 0) return 'its path length of 0 leaves no room for intermediates';
  if (nameConstraints !== undefined) return 'a root with name constraints cannot vouch for every cluster';
  return unknownCritical.length > 0 ? `it has an unknown critical extension ${unknownCritical[0]}` : undefined;
}

/**
 * Why this certificate may not issue SVIDs of the cluster whose SAN is `san`; undefined when it may. It must be a CA of path
 * length 0, constrained to that one DNS name: an unconstrained one could speak for every cluster.
 */
export function issuerFault(issuer: Certificate, san: string): string | undefined {
  const { basicConstraints, keyUsage, nameConstraints, unknownCritical } = issuer.extensions;
  if (basicConstraints?.ca !== true || keyUsage?.keyCertSign !== true) return 'its issuer is not a signing certificate';
  if (basicConstraints.pathLength !== 0) return 'its issuer has no path length of 0';
  if (unknownCritical.length > 0) return `its issuer has an unknown critical extension ${unknownCritical[0]}`;
  if (nameConstraints === undefined) return 'its issuer is not constrained to a cluster';
  if (nameConstraints.others > 0 || nameConstraints.excludedDns.length > 0) return 'its issuer has name constraints of another form';
  const [permitted, ...more] = nameConstraints.permittedDns;
  if (permitted === undefined || more.length > 0) return 'its issuer is not constrained to one cluster';
  return permitted === san ? undefined : `its issuer speaks for ${permitted}, not for ${san}`;
}
