import { type AuthzCondition, type AuthzMatch, type AuthzRule, trustDomainOf } from '../../core/authz/index.ts';

/** One alternative of a policy. `match` and `when` absent: anybody. */
export interface Condition {
  readonly name: string;
  readonly match?: AuthzMatch;
  readonly when?: AuthzCondition;
  /** The same by source, where `when` says all of it. */
  readonly bySource?: readonly Omit<Condition, 'bySource'>[];
}

/** Another trust domain, and the namespaces here whose policies may let its identities in; `*` for all. */
export interface FederatedDomain {
  readonly trustDomain: string;
  readonly namespaces: readonly string[];
}

/**
 * What ALLOW policies let in of other trust domains: callers that a principal names, its trust domain in full. No export holds for them, so
 * these rules stand beside those that exports gave and are not narrowed from them; and a condition on one of our namespaces or clusters
 * is none that they could meet.
 */
export function foreignCallers(
  conditions: readonly Condition[],
  namespace: string,
  federated: readonly FederatedDomain[],
): readonly AuthzRule[] {
  const open = new Set(
    federated.filter((each) => each.namespaces.includes('*') || each.namespaces.includes(namespace)).map((each) => each.trustDomain),
  );
  if (open.size === 0) return [];
  return conditions
    .flatMap((condition) => condition.bySource ?? [condition])
    .flatMap(({ name, match, when }): readonly AuthzRule[] => {
      if (match === undefined || match.namespaces.length + match.clusters.length > 0) return [];
      const principals = match.principals.filter((pattern) => open.has(trustDomainOf(pattern) ?? ''));
      if (principals.length === 0) return [];
      const rule: AuthzRule = { action: 'allow', name, principals, namespaces: [], clusters: [], ...(when === undefined ? {} : { when }) };
      const excluding = match.notPrincipals.length + match.notNamespaces.length > 0;
      return [excluding ? { ...rule, also: [{ ...match, principals: [] }] } : rule];
    });
}
