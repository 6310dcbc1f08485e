import { type AuthzMatch, type AuthzRule, matchesPattern } from '../../../core/authz/index.ts';
import type { Policy } from '../../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';
import { allOf, anyOf, byNamespace, byPrincipal, type Condition, conditionOf, not, type RbacPlace } from './rbac-conditions.ts';

export interface CallersPlan {
  /** Mesh clusters whose certificates the server may accept. Empty: none. */
  readonly clusters: readonly string[];
  /** Of an RBAC filter with action ALLOW, on whoever those clusters vouch for. Empty: nobody. */
  readonly policies: Readonly<Record<string, Policy>>;
}

/**
 * Who may call, in terms that gRPC's RBAC has: it sees the URI SAN and never the cluster. So an identity is let in only where the rules
 * allow it from each cluster whose anchor the server trusts; then it does not matter which of them vouched. Where they allow nobody
 * from some, one cluster alone is trusted: `own` if it has callers. Never lets in whom the rules refuse; callers that are lost by it are
 * named in docs/proxyless-grpc.md.
 */
export function planCallers(rules: readonly AuthzRule[], anchors: readonly string[], own: string, trustDomain: string): CallersPlan {
  const callable = anchors.filter((cluster) => allowsSome(rules, { trustDomain, cluster }));
  const clusters = callable.length === anchors.length ? anchors : callable.includes(own) ? [own] : callable.slice(0, 1);
  if (clusters.length === 0) return { clusters: [], policies: {} };
  const allowed = unique(
    clusters.map((cluster) => anyOf(applying(rules, 'allow', cluster).flatMap((rule) => conditionsOf(rule, { trustDomain, cluster })))),
  );
  const denied = unique(
    clusters.flatMap((cluster) => applying(rules, 'deny', cluster).flatMap((rule) => conditionsOf(rule, { trustDomain, cluster }))),
  );
  const principal = allOf([...allowed, ...denied.map(not)]);
  const permission = { rule: { $case: 'any', value: true } } as const;
  return {
    clusters,
    policies: { callers: { permissions: [permission], principals: [principal], condition: undefined, checkedCondition: undefined } },
  };
}

function allowsSome(rules: readonly AuthzRule[], place: RbacPlace): boolean {
  return applying(rules, 'allow', place.cluster).some((rule) => conditionsOf(rule, place).length > 0);
}

/** Rules that callers of that cluster can meet. */
function applying(rules: readonly AuthzRule[], action: AuthzRule['action'], cluster: string): readonly AuthzRule[] {
  const holds = ({ clusters }: Pick<AuthzMatch, 'clusters'>) => clusters.length === 0 || clusters.some((p) => matchesPattern(p, cluster));
  return rules.filter((rule) => rule.action === action && [rule, ...(rule.also ?? [])].every(holds));
}

/** Nothing where it can never match. */
function conditionsOf(rule: AuthzRule, place: RbacPlace): readonly Condition[] {
  const { trustDomain } = place;
  const positive = ({ principals, namespaces }: Pick<AuthzMatch, 'principals' | 'namespaces'>) => [
    ...(principals.length === 0 ? [] : [anyOf(principals.map(byPrincipal))]),
    ...(namespaces.length === 0 ? [] : [anyOf(namespaces.map((n) => byNamespace(n, trustDomain)))]),
  ];
  const also = (rule.also ?? []).flatMap((match) => [
    ...positive(match),
    ...match.notPrincipals.map((p) => not(byPrincipal(p))),
    ...match.notNamespaces.map((n) => not(byNamespace(n, trustDomain))),
  ]);
  // What gRPC cannot tell lets nobody in, and spares nobody.
  const when = rule.when === undefined ? true : conditionOf(rule.when, rule.action !== 'allow', place);
  if (when === false) return [];
  return [allOf([...positive(rule), ...also, ...(when === true ? [] : [when])])];
}

function unique(conditions: readonly Condition[]): readonly Condition[] {
  return [...new Map(conditions.map((c) => [JSON.stringify(c), c])).values()];
}
