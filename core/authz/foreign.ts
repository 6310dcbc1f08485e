import type { AuthzRule, Caller } from './contract.ts';
import { matchesPattern } from './pattern.ts';

/**
 * Whether an ALLOW rule is for that caller at all. Identities of another trust domain stay other: what lets in `*`, a namespace's look-alike or
 * everybody means those of the mesh's own, and one of another domain is let in only by a principal that names its trust domain in full.
 */
export function admits(rule: AuthzRule, { foreign, principal }: Caller): boolean {
  if (foreign !== true) return true;
  const trustDomain = principal.slice(0, principal.indexOf('/'));
  const named = [rule.principals, ...(rule.also ?? []).map((match) => match.principals)].flat();
  return named.some((pattern) => trustDomainOf(pattern) === trustDomain && matchesPattern(pattern, principal));
}

/** The trust domain that a principal's pattern names in full; undefined where it leaves one open. */
export function trustDomainOf(pattern: string): string | undefined {
  const end = pattern.indexOf('/');
  const named = end > 0 ? pattern.slice(0, end) : '';
  return named === '' || named.includes('*') ? undefined : named;
}
