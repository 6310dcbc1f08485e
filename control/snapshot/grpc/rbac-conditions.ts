import { type AuthzCondition, type AuthzTest, isPathTemplate, matchesPattern } from '../../../core/authz/index.ts';
import type { Principal } from '../../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';

export type Condition = Principal;

const scheme = 'spiffe://';

/** Where a condition is asked. */
export interface RbacPlace {
  readonly trustDomain: string;
  /** Whose certificates it is asked of. */
  readonly cluster: string;
}

/**
 * A condition in gRPC's terms: what is settled is a truth value. Of the request it sees the method alone, which is its path. `open`: what
 * gRPC cannot tell counts as.
 */
export function conditionOf(condition: AuthzCondition, open: boolean, place: RbacPlace): Condition | boolean {
  switch (condition.kind) {
    case 'all': {
      const of = condition.of.map((each) => conditionOf(each, open, place));
      return of.includes(false) ? false : joined(of, allOf, true);
    }
    case 'any': {
      const of = condition.of.map((each) => conditionOf(each, open, place));
      return of.includes(true) ? true : joined(of, anyOf, false);
    }
    case 'not': {
      const of = conditionOf(condition.of, !open, place);
      return typeof of === 'boolean' ? !of : not(of);
    }
    case 'test':
      return testOf(condition, open, place);
    case 'unknown':
      return open;
  }
}

function joined(of: readonly (Condition | boolean)[], join: (of: readonly Condition[]) => Condition, none: boolean): Condition | boolean {
  const asked = of.filter((each) => typeof each !== 'boolean');
  return asked.length === 0 ? none : join(asked);
}

function testOf({ attribute, patterns }: AuthzTest, open: boolean, { trustDomain, cluster }: RbacPlace): Condition | boolean {
  switch (attribute) {
    case 'principal':
      return anyOf(patterns.map(byPrincipal));
    case 'namespace':
      return anyOf(patterns.map((pattern) => byNamespace(pattern, trustDomain)));
    case 'service-account':
      return anyOf(patterns.map((text) => uri({ $case: 'suffix', value: `/ns/${text.replace('/', '/sa/')}` })));
    case 'trust-domain':
      return patterns.some((pattern) => matchesPattern(pattern, trustDomain));
    case 'cluster':
      return patterns.some((pattern) => matchesPattern(pattern, cluster));
    case 'method':
      return patterns.some((pattern) => matchesPattern(pattern, 'POST'));
    case 'path':
      return patterns.some(isPathTemplate) ? open : anyOf(patterns.map(byPath));
    default:
      return open;
  }
}

export function byPrincipal(pattern: string): Condition {
  if (pattern === '*') return uri({ $case: 'prefix', value: scheme });
  if (pattern.endsWith('*')) return uri({ $case: 'prefix', value: `${scheme}${pattern.slice(0, -1)}` });
  if (pattern.startsWith('*')) return uri({ $case: 'suffix', value: pattern.slice(1) });
  return uri({ $case: 'exact', value: `${scheme}${pattern}` });
}

export function byNamespace(pattern: string, trustDomain: string): Condition {
  const before = `${scheme}${trustDomain}/ns/`;
  if (pattern.endsWith('*')) return uri({ $case: 'prefix', value: `${before}${pattern.slice(0, -1)}` });
  if (!pattern.startsWith('*')) return uri({ $case: 'prefix', value: `${before}${pattern}/` });
  // No regular expression: each that Node's implementation reads takes memory for good, and after some thousand it aborts.
  const end = pattern.slice(1);
  const ends = uri({ $case: 'contains', value: `${end}/sa/` });
  return 'sa'.endsWith(end) ? ends : allOf([ends, not(uri({ $case: 'prefix', value: `${before}sa/` }))]);
}

function byPath(pattern: string): Condition {
  const value = { matchPattern: textPattern(pattern), ignoreCase: false };
  return { identifier: { $case: 'urlPath', value: { rule: { $case: 'path', value } } } };
}

/** gRPC's paths begin with a slash. */
function textPattern(pattern: string): UriMatch {
  if (pattern === '*') return { $case: 'prefix', value: '/' };
  if (pattern.endsWith('*')) return { $case: 'prefix', value: pattern.slice(0, -1) };
  return pattern.startsWith('*') ? { $case: 'suffix', value: pattern.slice(1) } : { $case: 'exact', value: pattern };
}

type UriMatch = NonNullable<
  NonNullable<Extract<Principal['identifier'], { $case: 'authenticated' }>['value']['principalName']>['matchPattern']
>;

function uri(matchPattern: UriMatch): Condition {
  return { identifier: { $case: 'authenticated', value: { principalName: { matchPattern, ignoreCase: false } } } };
}

export function anyOf(ids: readonly Condition[]): Condition {
  const [only, second] = ids;
  return only !== undefined && second === undefined ? only : { identifier: { $case: 'orIds', value: { ids: [...ids] } } };
}

export function allOf(ids: readonly Condition[]): Condition {
  const [only, second] = ids;
  if (only === undefined) return { identifier: { $case: 'any', value: true } };
  return second === undefined ? only : { identifier: { $case: 'andIds', value: { ids: [...ids] } } };
}

export function not(id: Condition): Condition {
  return { identifier: { $case: 'notId', value: id } };
}
