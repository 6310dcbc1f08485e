import type { DestinationRef, HttpAction } from '../../core/traffic/index.ts';
import type { Lookup } from './lookup.ts';
import { type ConditionedMatch, mergeMatches } from './match-merge.ts';
import { objectIdOf, type RouteObject, visibleTo } from './objects.ts';

/** One rule as it holds in the end, with the object whose names its destinations are relative to. */
export interface ExpandedRule {
  readonly object: RouteObject;
  readonly rule: RouteObject['spec']['http'][number];
  /** Empty: every request. */
  readonly matches: readonly ConditionedMatch[];
}

/** Its rules in order, those that it delegates in the place of the rule that does (one level, as in Istio). */
export function expandRules(object: RouteObject, lookup: Lookup): readonly ExpandedRule[] {
  return object.spec.http.flatMap((rule): readonly ExpandedRule[] => {
    const own: ExpandedRule = { object, rule, matches: conditioned(rule) };
    if (rule.delegate === undefined) return [own];
    const found = findDelegate(object, rule.delegate, lookup);
    return found === undefined ? [] : delegated(own, found);
  });
}

/** Indexes of the delegate's rules that this rule of a root leaves out: they delegate again, or ask for more than it gives. */
export function leftOut(root: RouteObject['spec']['http'][number], delegate: RouteObject): readonly number[] {
  const out = (rule: ExpandedRule['rule']) =>
    rule.delegate !== undefined || matchesWithin(conditioned(root), conditioned(rule)) === undefined;
  return delegate.spec.http.flatMap((rule, i) => (out(rule) ? [i] : []));
}

/** Undefined: there is none that this object may see, or it has hosts, and so is a root itself. */
export function findDelegate(
  root: RouteObject,
  ref: { readonly namespace: string; readonly name: string },
  lookup: Lookup,
): RouteObject | undefined {
  const found = lookup.object(objectIdOf(root.group, 'VirtualService', ref.namespace, ref.name));
  if (found?.kind !== 'VirtualService' || found.spec.hosts.length > 0) return undefined;
  const visible = visibleTo(found.spec.exportTo, found.namespace);
  return visible === undefined || visible.includes(root.namespace) ? found : undefined;
}

export function conditioned(rule: RouteObject['spec']['http'][number]): readonly ConditionedMatch[] {
  return rule.matches.map((match, i) => ({ match, condition: rule.conditions[i] ?? { ports: [], gateways: [] } }));
}

function delegated(root: ExpandedRule, delegate: RouteObject): readonly ExpandedRule[] {
  return delegate.spec.http.flatMap((rule): readonly ExpandedRule[] => {
    if (rule.delegate !== undefined) return [];
    const matches = matchesWithin(root.matches, conditioned(rule));
    return matches === undefined ? [] : [{ object: delegate, matches, rule: inherit(root.rule, rule) }];
  });
}

/** Those of a delegate's rule as its root leaves them; undefined: one is within none of the root's, which leaves out the rule as a whole. */
function matchesWithin(root: readonly ConditionedMatch[], own: readonly ConditionedMatch[]): readonly ConditionedMatch[] | undefined {
  if (root.length === 0) return own;
  if (own.length === 0) return root;
  const merged = own.map((leaf) => root.map((each) => mergeMatches(each, leaf)).filter((m) => m !== undefined));
  return merged.every((each) => each.length > 0) ? merged.flat() : undefined;
}

/** What the delegate does not say, the root does; of headers, those of requests and of answers are one thing to say. */
function inherit(root: ExpandedRule['rule'], rule: ExpandedRule['rule']): ExpandedRule['rule'] {
  const { requestHeaders, responseHeaders, cors, fault } = root;
  const headers = rule.requestHeaders === undefined && rule.responseHeaders === undefined ? { requestHeaders, responseHeaders } : {};
  const below = Object.fromEntries(Object.entries({ ...headers, cors, fault }).filter(([, v]) => v !== undefined));
  return { ...below, ...rule, name: `${root.name}-${rule.name}`, action: inheritAction(root.action, rule.action) };
}

function inheritAction(root: HttpAction<DestinationRef>, own: HttpAction<DestinationRef>): HttpAction<DestinationRef> {
  if (root.type !== 'route' || own.type !== 'route') return own;
  const { rewrite, timeoutMs, retries } = root;
  const below = Object.fromEntries(Object.entries({ rewrite, timeoutMs, retries }).filter(([, v]) => v !== undefined));
  return { ...below, ...own, mirrors: own.mirrors.length > 0 ? own.mirrors : root.mirrors };
}
