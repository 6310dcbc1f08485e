import type { Certificate } from './certificate.ts';
import type { NameConstraints } from './extensions.ts';

/**
 * Why `issuer` may not stand in the path of `leaf` in that trust domain; undefined when it may (RFC 5280 §6.1, X.509-SVID §4). `below`: the
 * signing certificates between the two.
 */
export function constraintFault(
  issuer: Certificate,
  below: readonly Certificate[],
  leaf: Certificate,
  trustDomain: string,
): string | undefined {
  const { basicConstraints, keyUsage, nameConstraints, subjectAltName, unknownCritical } = issuer.extensions;
  if (basicConstraints?.ca !== true || keyUsage?.keyCertSign === false) return 'an issuer is not a signing certificate';
  if (unknownCritical.length > 0) return `an issuer has an unknown critical extension ${unknownCritical[0]}`;
  const { pathLength } = basicConstraints;
  const counted = below.filter((each) => !each.subject.equals(each.issuer)).length;
  if (pathLength !== undefined && counted > pathLength) return `an issuer has a path length of ${pathLength}`;
  const stranger = (subjectAltName?.uris ?? []).find((uri) => uri.startsWith('spiffe://') && !ofDomain(uri, trustDomain));
  if (stranger !== undefined) return `an issuer is ${stranger}, not of ${trustDomain}`;
  return nameConstraints === undefined ? undefined : namesFault(nameConstraints, [leaf, ...below]);
}

function ofDomain(uri: string, trustDomain: string): boolean {
  return uri === `spiffe://${trustDomain}` || uri.startsWith(`spiffe://${trustDomain}/`);
}

/** Constraints of other forms than DNS cannot be checked here, so whoever has one is not believed. */
function namesFault({ permittedDns, excludedDns, others }: NameConstraints, certificates: readonly Certificate[]): string | undefined {
  if (others > 0) return 'an issuer has name constraints of another form than DNS';
  const names = certificates.flatMap((each) => each.extensions.subjectAltName?.dns ?? []);
  const outside = names.find((name) => permittedDns.length > 0 && !permittedDns.some((base) => isWithin(name, base)));
  if (outside !== undefined) return `an issuer is not permitted the name ${outside}`;
  const excluded = names.find((name) => excludedDns.some((base) => isWithin(name, base)));
  return excluded === undefined ? undefined : `an issuer is refused the name ${excluded}`;
}

/** RFC 5280 §4.2.1.10: a name with any labels added at the left; a leading dot, which some write, demands one. */
function isWithin(name: string, base: string): boolean {
  const [own, constraint] = [name.toLowerCase(), base.toLowerCase()];
  if (constraint === '') return true;
  return constraint.startsWith('.') ? own.endsWith(constraint) : own === constraint || own.endsWith(`.${constraint}`);
}
