import { type AuthzMatch, type AuthzRule, matchesPattern } from '../../../core/authz/index.ts';
import type { Policy, Principal } from '../../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';

export interface CallersPlan {
  /** Mesh clusters whose certificates the server may accept. Empty: none. */
  readonly clusters: readonly string[];
  /** Of an RBAC filter with action ALLOW, on whoever those clusters vouch for. Empty: nobody. */
  readonly policies: Readonly<Record<string, Policy>>;
}

type Condition = Principal;

/**
 * Who may call, in terms that gRPC's RBAC has: it sees the URI SAN and never the cluster. So an identity is let in only where the rules
 * allow it from each cluster whose anchor the server trusts; then it does not matter which of them vouched. Where they allow nobody
 * from some, one cluster alone is trusted: `own` if it has callers. Never lets in whom the rules refuse; callers that are lost by it are
 * named in docs/proxyless-grpc.md.
 */
export function planCallers(rules: readonly AuthzRule[], anchors: readonly string[], own: string, trustDomain: string): CallersPlan {
  const callable = anchors.filter((cluster) => allowsSome(rules, cluster));
  const clusters = callable.length === anchors.length ? anchors : callable.includes(own) ? [own] : callable.slice(0, 1);
  if (clusters.length === 0) return { clusters: [], policies: {} };
  const allowed = unique(clusters.map((cluster) => anyOf(applying(rules, 'allow', cluster).map((rule) => conditionOf(rule, trustDomain)))));
  const denied = unique(clusters.flatMap((cluster) => applying(rules, 'deny', cluster).map((rule) => conditionOf(rule, trustDomain))));
  const principal = allOf([...allowed, ...denied.map(not)]);
  const permission = { rule: { $case: 'any', value: true } } as const;
  return {
    clusters,
    policies: { callers: { permissions: [permission], principals: [principal], condition: undefined, checkedCondition: undefined } },
  };
}

function allowsSome(rules: readonly AuthzRule[], cluster: string): boolean {
  return applying(rules, 'allow', cluster).length > 0;
}

/** Rules that callers of that cluster can meet. */
function applying(rules: readonly AuthzRule[], action: AuthzRule['action'], cluster: string): readonly AuthzRule[] {
  const holds = ({ clusters }: Pick<AuthzMatch, 'clusters'>) => clusters.length === 0 || clusters.some((p) => matchesPattern(p, cluster));
  return rules.filter((rule) => rule.action === action && [rule, ...(rule.also ?? [])].every(holds));
}

function conditionOf(rule: AuthzRule, trustDomain: string): Condition {
  const positive = ({ principals, namespaces }: Pick<AuthzMatch, 'principals' | 'namespaces'>) => [
    ...(principals.length === 0 ? [] : [anyOf(principals.map(byPrincipal))]),
    ...(namespaces.length === 0 ? [] : [anyOf(namespaces.map((n) => byNamespace(n, trustDomain)))]),
  ];
  const also = (rule.also ?? []).flatMap((match) => [
    ...positive(match),
    ...match.notPrincipals.map((p) => not(byPrincipal(p))),
    ...match.notNamespaces.map((n) => not(byNamespace(n, trustDomain))),
  ]);
  return allOf([...positive(rule), ...also]);
}

const scheme = 'spiffe://';

function byPrincipal(pattern: string): Condition {
  if (pattern === '*') return uri({ $case: 'prefix', value: scheme });
  if (pattern.endsWith('*')) return uri({ $case: 'prefix', value: `${scheme}${pattern.slice(0, -1)}` });
  if (pattern.startsWith('*')) return uri({ $case: 'suffix', value: pattern.slice(1) });
  return uri({ $case: 'exact', value: `${scheme}${pattern}` });
}

function byNamespace(pattern: string, trustDomain: string): Condition {
  const before = `${scheme}${trustDomain}/ns/`;
  if (pattern.endsWith('*')) return uri({ $case: 'prefix', value: `${before}${pattern.slice(0, -1)}` });
  if (!pattern.startsWith('*')) return uri({ $case: 'prefix', value: `${before}${pattern}/` });
  // No regular expression: each that Node's implementation reads takes memory for good, and after some thousand it aborts.
  const end = pattern.slice(1);
  const ends = uri({ $case: 'contains', value: `${end}/sa/` });
  return 'sa'.endsWith(end) ? ends : allOf([ends, not(uri({ $case: 'prefix', value: `${before}sa/` }))]);
}

type UriMatch = NonNullable<
  NonNullable<Extract<Principal['identifier'], { $case: 'authenticated' }>['value']['principalName']>['matchPattern']
>;

function uri(matchPattern: UriMatch): Condition {
  return { identifier: { $case: 'authenticated', value: { principalName: { matchPattern, ignoreCase: false } } } };
}

function anyOf(ids: readonly Condition[]): Condition {
  const [only, second] = ids;
  return only !== undefined && second === undefined ? only : { identifier: { $case: 'orIds', value: { ids: [...ids] } } };
}

function allOf(ids: readonly Condition[]): Condition {
  const [only, second] = ids;
  if (only === undefined) return { identifier: { $case: 'any', value: true } };
  return second === undefined ? only : { identifier: { $case: 'andIds', value: { ids: [...ids] } } };
}

function not(id: Condition): Condition {
  return { identifier: { $case: 'notId', value: id } };
}

function unique(conditions: readonly Condition[]): readonly Condition[] {
  return [...new Map(conditions.map((c) => [JSON.stringify(c), c])).values()];
}
