import { systemNamespace } from '../../core/model/index.ts';
import { compareText, type MergedService } from '../catalog/index.ts';
import type { Lookup, Matched } from './lookup.ts';
import { olderFirst, type RuleObject, visibleTo } from './objects.ts';

/** The DestinationRules that hold for a service, as some callers see them. */
export interface Effective {
  /** Of the whole service, the one that is in force first. */
  readonly whole: readonly RuleObject[];
  /** Where subsets may come from, in order of precedence. Of the same names for all callers: routes name them, whoever asks. */
  readonly all: readonly RuleObject[];
}

/**
 * Istio's path: the caller's namespace, the service's, and the root's; the first with a rule that the caller may see has the word. In
 * it the most specific host counts, then the oldest. `caller` undefined: of a namespace that says nothing itself and that no rule is for alone.
 */
export function effectiveRules(service: MergedService, lookup: Lookup, caller?: string): Effective {
  const matched = lookup.destinationRules(service);
  const shared = onPath(matched, service, undefined);
  const others = matched.filter((m) => placeOf(m.object, service, undefined) === undefined);
  const whole = caller === undefined ? shared : onPath(matched, service, caller);
  const all = new Set([...whole, ...shared, ...others].map(ruleOf));
  return { whole: whole.map(ruleOf), all: [...all] };
}

/** Namespaces whose callers are told otherwise than those of most; sorted. */
export function callersApart(service: MergedService, lookup: Lookup): readonly string[] {
  const matched = lookup.destinationRules(service);
  const general = onPath(matched, service, undefined);
  const named = new Set(matched.flatMap(({ object }) => [object.namespace, ...(visibleTo(object.spec.exportTo, object.namespace) ?? [])]));
  const apart = [...named].filter((namespace) => {
    const own = onPath(matched, service, namespace);
    return own.length !== general.length || own.some((m, i) => m.object !== general[i]?.object);
  });
  return apart.sort(compareText);
}

export function subsetNames(service: MergedService, lookup: Lookup): readonly string[] {
  const { all } = effectiveRules(service, lookup);
  return [...new Set(all.flatMap((rule) => rule.spec.subsets.map((s) => s.name)))].sort(compareText);
}

/** Whether any caller looks for it where it is: not if it is shown to namespaces alone that never look there. */
export function isOnAnyPath(rule: RuleObject, service: MergedService): boolean {
  const shown = visibleTo(rule.spec.exportTo, rule.namespace) ?? [rule.namespace];
  return shown.some((caller) => placeOf(rule, service, caller) !== undefined);
}

function onPath(matched: readonly Matched<RuleObject>[], service: MergedService, caller: string | undefined) {
  const found = matched.flatMap((m) => {
    const place = placeOf(m.object, service, caller);
    return place === undefined ? [] : [{ m, place }];
  });
  const best = found.sort((a, b) => a.place - b.place || b.m.specificity - a.m.specificity || olderFirst(a.m.object, b.m.object));
  const [first] = best;
  return best.filter(({ m, place }) => place === first?.place && m.specificity === first.m.specificity).map(({ m }) => m);
}

/** Which namespace of the caller's path it is in; undefined: in none, or hidden from the caller. */
function placeOf({ spec, namespace }: RuleObject, service: MergedService, caller: string | undefined): 0 | 1 | 2 | undefined {
  const shown = visibleTo(spec.exportTo, namespace);
  if (shown !== undefined && (caller === undefined || !shown.includes(caller))) return undefined;
  // Gateways are of the root namespace: what is there for all must not come before what a service says of itself.
  const own = namespace === caller && (caller !== systemNamespace || shown?.length === 1);
  if (own) return 0;
  if (namespace === service.namespace) return 1;
  return namespace === systemNamespace ? 2 : undefined;
}

function ruleOf(matched: Matched<RuleObject>): RuleObject {
  return matched.object;
}
