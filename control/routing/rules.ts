import type { ClusterRef, DestinationRef, HttpAction, HttpMatch, HttpRule, L4Match, L4Rule } from '../../core/traffic/index.ts';
import { type ExpandedRule, expandRules } from './delegate.ts';
import { compileDestinations, compileRoute, type RuleContext } from './destinations.ts';
import type { Condition } from './match-merge.ts';
import type { RouteObject } from './objects.ts';

/** Undefined: it is for other ports or gateways. */
export function compileHttpRule(expanded: ExpandedRule, context: RuleContext): HttpRule<ClusterRef> | undefined {
  const { rule, matches, object } = expanded;
  const here = matches.filter((m) => holdsHere(m.condition, context));
  if (matches.length > 0 && here.length === 0) return undefined;
  const { conditions: _, delegate: __, ...rest } = rule;
  return { ...rest, matches: here.map((m) => m.match), action: compileAction(rule.action, { ...context, object }) };
}

/** In their order, those that it delegates among them. */
export function virtualServiceRules(object: RouteObject, context: Omit<RuleContext, 'object'>): readonly HttpRule<ClusterRef>[] {
  return expandRules(object, context.lookup)
    .map((rule) => compileHttpRule(rule, { ...context, object }))
    .filter((rule) => rule !== undefined);
}

function holdsHere(condition: Condition, context: RuleContext): boolean {
  if (condition.ports.length > 0 && !condition.ports.includes(context.listenerPort)) return false;
  return (
    condition.gateways.length === 0 || condition.gateways.some((name) => gatewayName(name, context.object.namespace) === context.gateway)
  );
}

/** `mesh` and NAMESPACE/NAME as they are, a name alone in the namespace of who says it. */
export function gatewayName(name: string, namespace: string): string {
  return name === 'mesh' || name.includes('/') ? name : `${namespace}/${name}`;
}

function compileAction(action: HttpAction<DestinationRef>, context: RuleContext): HttpAction<ClusterRef> {
  if (action.type !== 'route') return action;
  return { ...action, ...compileRoute(action, context) };
}

/** Those of a kind that are for this port, in order. */
export function compileL4Rules(object: RouteObject, type: 'tcp' | 'tls', context: RuleContext): readonly L4Rule<ClusterRef>[] {
  return object.spec.l4
    .filter((rule) => rule.type === type && holdsHere({ ports: rule.ports, gateways: rule.gateways ?? [] }, context))
    .map(({ name, matches, destinations }) => ({ name, matches, ...compileDestinations(destinations, context) }));
}

const anyRequest: HttpMatch = { headers: [], query: [], sourceLabels: {} };
const anyConnection: L4Match = { destinationSubnets: [], sniHosts: [], sourceLabels: {} };

/** The rules as callers in these namespaces have them; others never match. */
export function onlyFor<R extends HttpRule<ClusterRef> | L4Rule<ClusterRef>>(
  rules: readonly R[],
  namespaces: readonly string[],
): readonly R[] {
  return rules.flatMap((rule) => {
    const any = 'action' in rule ? anyRequest : anyConnection;
    const said: readonly (HttpMatch | L4Match)[] = rule.matches.length === 0 ? [any] : rule.matches;
    const matches = said.flatMap((match) => {
      if (match.sourceNamespace !== undefined) return namespaces.includes(match.sourceNamespace) ? [match] : [];
      return namespaces.map((sourceNamespace) => ({ ...match, sourceNamespace }));
    });
    return matches.length === 0 ? [] : [{ ...rule, matches }];
  });
}

/** In logs and figures a rule is known by its name alone. */
export function withUniqueNames<R extends { readonly name: string }>(rules: readonly R[]): readonly R[] {
  const seen = new Map<string, number>();
  return rules.map((rule) => {
    const count = (seen.get(rule.name) ?? 0) + 1;
    seen.set(rule.name, count);
    return count === 1 ? rule : { ...rule, name: `${rule.name}#${count}` };
  });
}
