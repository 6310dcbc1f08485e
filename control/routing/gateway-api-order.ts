import type { ClusterRef, HttpMatch, HttpRule } from '../../core/traffic/index.ts';
import { type ExpandedRule, expandRules } from './delegate.ts';
import type { RuleContext } from './destinations.ts';
import type { ConditionedMatch } from './match-merge.ts';
import type { RouteObject } from './objects.ts';
import { compileHttpRule } from './rules.ts';

const anyRequest: ConditionedMatch = { match: { headers: [], query: [], sourceLabels: {} }, condition: { ports: [], gateways: [] } };

/**
 * The Gateway API merges: of all routes of one parent and host, the match that says the most comes first (HTTPRouteRule.matches and
 * GRPCRouteRule.matches of its reference), then that of the older route, then by name and place. `routes` are the older first.
 */
export function compileRouteRules(routes: readonly RouteObject[], context: Omit<RuleContext, 'object'>): readonly HttpRule<ClusterRef>[] {
  const single = routes.flatMap((object) => expandRules(object, context.lookup).flatMap(byMatch));
  return single
    .map((rule) => ({ rule, rank: rankOf(rule.matches[0]?.match ?? anyRequest.match) }))
    .sort((a, b) => compareRanks(b.rank, a.rank))
    .map(({ rule }) => compileHttpRule(rule, { ...context, object: rule.object }))
    .filter((rule) => rule !== undefined);
}

function byMatch(expanded: ExpandedRule): readonly ExpandedRule[] {
  const { matches, rule } = expanded;
  if (matches.length <= 1) return [expanded];
  return matches.map((match, i) => ({ ...expanded, matches: [match], rule: { ...rule, name: `${rule.name}/match-${i}` } }));
}

function rankOf(match: HttpMatch): readonly number[] {
  // Without a path it is that of every request.
  const path = match.path ?? { type: 'segments', value: '/' };
  const kind = path.type === 'exact' ? 3 : path.type === 'regex' ? 1 : 2;
  return [kind, path.value.length, match.method === undefined ? 0 : 1, match.headers.length, match.query.length];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const difference = value - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
