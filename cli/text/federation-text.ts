import type { Federation, FederationDomain } from '../../core/admin/index.ts';
import { age, table } from './table.ts';

/** Pure. */
export function federationTable({ domains }: Federation): string {
  if (domains.length === 0) return 'none: no FederatedTrustDomain is configured';
  const rows = domains.map((d) => [
    d.trustDomain,
    d.state,
    age(d.ageMs ?? null),
    d.sequence === undefined ? '-' : String(d.sequence),
    String(d.authorities.length),
    d.endpoint ?? d.bundleFile ?? '-',
    d.error ?? '',
  ]);
  return table(['TRUST DOMAIN', 'STATE', 'AGE', 'SEQUENCE', 'AUTHORITIES', 'FROM', 'ERROR'], rows);
}

/** Pure. */
export function domainText(domain: FederationDomain): string {
  const { trustDomain, state, ageMs, sequence, authorities, endpoint, profile, bundleFile, namespaces, nextInMs, error, failures } = domain;
  const lines = [
    `trust domain  ${trustDomain}`,
    `state         ${state}${ageMs === undefined ? '' : `, confirmed ${age(ageMs)} ago`}`,
    ...(sequence === undefined ? [] : [`sequence      ${sequence}`]),
    ...(endpoint === undefined ? [] : [`endpoint      ${endpoint} (${profile})`]),
    ...(bundleFile === undefined ? [] : [`bundle file   ${bundleFile}`]),
    ...(nextInMs === undefined ? [] : [`next look     in ${age(nextInMs)}`]),
    `let in by     policies of ${namespaces.includes('*') ? 'every namespace' : namespaces.join(', ')} that name its principals`,
    `jwt keys      ${domain.jwtKeys}`,
    ...authorities.map(({ sha256, notAfter }) => `authority     ${sha256}, until ${notAfter}`),
    ...(error === undefined ? [] : [`last error    ${error}${failures > 1 ? ` (${failures} times in a row)` : ''}`]),
  ];
  return lines.join('\n');
}
