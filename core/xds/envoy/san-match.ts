import { type AuthzMatch, escapeRegex } from '../../authz/index.ts';
import type { EnvoyCondition, SanMatch } from './envoy-condition.ts';

/** Any one character of a name. */
const segment = '[^,/]';

/** One identity and one cluster of this mesh. */
export function identitySan(trustDomain: string): readonly SanMatch[] {
  return [
    { kind: 'uri', regex: `${escapeRegex(`spiffe://${trustDomain}/ns/`)}${segment}+/sa/${segment}+` },
    { kind: 'dns', regex: `${segment}+${escapeRegex(`.cluster.${trustDomain}`)}` },
  ];
}

export function conditions(match: Pick<AuthzMatch, 'principals' | 'namespaces' | 'clusters'>, trustDomain: string): EnvoyCondition[] {
  return [
    ...orNone(match.principals.map(principalSan)),
    ...orNone(match.namespaces.map((pattern) => namespaceSan(pattern, trustDomain))),
    ...orNone(match.clusters.map((pattern) => clusterSan(pattern, trustDomain))),
  ];
}

export function exclusions({ notPrincipals, notNamespaces }: AuthzMatch, trustDomain: string): EnvoyCondition[] {
  const excluded = [...notPrincipals.map(principalSan), ...notNamespaces.map((pattern) => namespaceSan(pattern, trustDomain))];
  return excluded.map((of) => ({ kind: 'not', of }));
}

export function principalSan(pattern: string): SanMatch {
  return { kind: 'uri', regex: around('spiffe://', pattern, '', '[^,]') };
}

export function namespaceSan(pattern: string, trustDomain: string): SanMatch {
  return { kind: 'uri', regex: `${around(`spiffe://${trustDomain}/ns/`, pattern, '/sa/', segment)}${segment}+` };
}

export function clusterSan(pattern: string, trustDomain: string): SanMatch {
  return { kind: 'dns', regex: around('', pattern, `.cluster.${trustDomain}`, segment) };
}

export function trustDomainSan(pattern: string): SanMatch {
  return { kind: 'uri', regex: `${around('spiffe://', pattern, '/', segment)}[^,]+` };
}

export function serviceAccountSan(text: string): SanMatch {
  const [namespace = '', account = ''] = text.split('/');
  return { kind: 'uri', regex: `spiffe://${segment}+/ns/${escapeRegex(namespace)}/sa/${escapeRegex(account)}` };
}

/** None for an empty field, which restricts nothing. */
export function orNone(of: readonly SanMatch[]): readonly EnvoyCondition[] {
  return of.length < 2 ? of : [{ kind: 'any', of }];
}

/** `pattern` as AuthzMatch has it, between two texts; `star`: one character of what `*` stands for. */
function around(before: string, pattern: string, after: string, star: string): string {
  return `${escapeRegex(before)}${middleOf(pattern, star)}${escapeRegex(after)}`;
}

function middleOf(pattern: string, star: string): string {
  if (pattern === '*') return `${star}+`;
  if (pattern.endsWith('*')) return `${escapeRegex(pattern.slice(0, -1))}${star}*`;
  if (pattern.startsWith('*')) return `${star}*${escapeRegex(pattern.slice(1))}`;
  return escapeRegex(pattern);
}
