import type { AuthzCondition, AuthzMatch, AuthzRule } from '../../core/authz/index.ts';
import type { AuthorizationPolicyObject, AuthorizationPolicySpec } from '../../core/config/index.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { compareText } from '../catalog/index.ts';
import type { Policy, ServiceAuthz } from './contract.ts';
import { type Condition, type FederatedDomain, foreignCallers } from './foreign-callers.ts';
import { type Selection, selectionOf, selects } from './select-services.ts';

/** What one object says, compiled once for all services that it selects. */
interface Compiled extends Selection {
  readonly name: string;
  readonly action: AuthzRule['action'];
  readonly conditions: readonly Condition[];
}

type Source = AuthorizationPolicySpec['rules'][number]['from'][number];

/**
 * Istio's AuthorizationPolicy, after the policies that say who may call without one. A DENY rule that matches refuses. Where ALLOW
 * policies select a service, a caller must match one of their rules besides a rule of the policies before: they narrow, and never
 * open to a peer what is not exported to it. They guard what this cluster's own endpoints serve, so a service without any is left
 * alone: its peer decides at its end, by policies that are not known here.
 */
export function authorizationPolicies(objects: readonly AuthorizationPolicyObject[], federated: readonly FederatedDomain[] = []): Policy {
  const byNamespace = new Map<string, Compiled[]>();
  for (const object of [...objects].sort((a, b) => compareText(idOf(a), idOf(b)))) {
    const list = byNamespace.get(object.namespace);
    if (list === undefined) byNamespace.set(object.namespace, [compile(object)]);
    else list.push(compile(object));
  }
  return {
    name: 'authorization-policies',
    apply: (draft, service, view) => {
      // Our own sources' labels alone: a peer could lift a policy by what it says of the same name.
      const own = view.local.get(draft.service);
      if (own === undefined) return draft;
      const namespaces = new Set([systemNamespace, service.namespace]);
      const selecting = [...namespaces].flatMap((n) => byNamespace.get(n) ?? []).filter((p) => selects(p, own));
      if (selecting.length === 0) return draft;
      const guarded = guard(draft, selecting);
      const conditions = selecting.filter((p) => p.action === 'allow').flatMap((p) => p.conditions);
      const foreign = foreignCallers(conditions, service.namespace, federated);
      return foreign.length === 0 ? guarded : { ...guarded, rules: [...guarded.rules, ...foreign] };
    },
  };
}

function idOf({ namespace, name }: AuthorizationPolicyObject): string {
  return `${namespace}/${name}`;
}

function guard(draft: ServiceAuthz, selecting: readonly Compiled[]): ServiceAuthz {
  const denying = selecting.filter((p) => p.action === 'deny');
  const allowing = selecting.filter((p) => p.action === 'allow');
  const auditing = selecting.filter((p) => p.action === 'audit');
  const names = (list: readonly Compiled[]) => list.map((p) => p.name);
  const refused = draft.rules.filter((r) => r.action === 'deny');
  const allowed = draft.rules.filter((r) => r.action === 'allow');
  const both = allowing.flatMap((p) => p.conditions).flatMap((condition) => joined(allowed).map((base) => narrowed(base, condition)));
  return {
    ...draft,
    rules: [
      ...refused,
      ...denying.flatMap((p) => p.conditions).map(denial),
      ...(allowing.length === 0 ? allowed : both),
      ...auditing.flatMap((p) => p.conditions).map(mark),
    ],
    selectedBy: { deny: names(denying), allow: names(allowing), audit: names(auditing), base: draft.rules },
  };
}

/** Rules that only name clusters as one, so that what a service costs does not grow with peers × policies. */
function joined(allowed: readonly AuthzRule[]): readonly AuthzRule[] {
  const simple = (r: AuthzRule) =>
    r.clusters.length > 0 && r.principals.length + r.namespaces.length === 0 && r.also === undefined && r.when === undefined;
  const [first, ...more] = allowed.filter(simple);
  if (first === undefined || more.length === 0) return allowed;
  const clusters = [...new Set([first, ...more].flatMap((r) => r.clusters))].sort(compareText);
  return [{ ...first, clusters }, ...allowed.filter((r) => !simple(r))];
}

function narrowed(base: AuthzRule, { name, match, when }: Condition): AuthzRule {
  const also = match === undefined ? {} : { also: [...(base.also ?? []), match] };
  const both = when === undefined || base.when === undefined ? when : ({ kind: 'all', of: [base.when, when] } as const);
  return { ...base, name, ...also, ...(both === undefined ? {} : { when: both }) };
}

/** What older data planes know of a match stands in the rule itself: they refuse by it too, and by less they would refuse more. */
function denial({ name, match, when }: Condition): AuthzRule {
  const { principals, namespaces, clusters } = match ?? anybody;
  const rule: AuthzRule = { action: 'deny', name, principals, namespaces, clusters, ...(when === undefined ? {} : { when }) };
  if (match === undefined || match.notPrincipals.length + match.notNamespaces.length === 0) return rule;
  return { ...rule, also: [{ ...match, principals: [], namespaces: [], clusters: [] }] };
}

function mark(condition: Condition): AuthzRule {
  return { ...denial(condition), action: 'audit' };
}

const anybody: AuthzMatch = { principals: [], namespaces: [], clusters: [], notPrincipals: [], notNamespaces: [] };

function compile(object: AuthorizationPolicyObject): Compiled {
  const { action, rules } = object.spec;
  const conditions = rules.flatMap(({ from, when }, i): readonly Condition[] => {
    // As Istio's proxies name it in their logs.
    const name = `ns[${object.namespace}]-policy[${object.name}]-rule[${i}]`;
    // One rule of the object is one here, as what a byte stream makes of it depends on the whole of it.
    if (when !== undefined || from.some((source) => source.more !== undefined))
      return [{ name, when: wholeOf(from, when), bySource: from.map((source) => ofSource(name, source, when)) }];
    return from.length === 0 ? [{ name }] : gathered(from).map((match) => ({ name, match }));
  });
  return { name: idOf(object), ...selectionOf(object), action: actions[action], conditions };
}

const actions = { ALLOW: 'allow', DENY: 'deny', AUDIT: 'audit' } as const;

function ofSource(name: string, { more, ...source }: Source, when: AuthzCondition | undefined): Condition {
  const further = [more, when].filter((each) => each !== undefined);
  return { name, match: sorted(source), ...(further.length === 0 ? {} : { when: all(further) }) };
}

function wholeOf(from: readonly Source[], when: AuthzCondition | undefined): AuthzCondition {
  const sources = from.map((source) => all(sourceConditions(source)));
  return all([...(sources.length < 2 ? sources : [{ kind: 'any', of: sources } as const]), ...(when === undefined ? [] : [when])]);
}

function all(of: readonly AuthzCondition[]): AuthzCondition {
  const [only, second] = of;
  return only !== undefined && second === undefined ? only : { kind: 'all', of };
}

function sourceConditions({ principals, notPrincipals, namespaces, notNamespaces, clusters, more }: Source): readonly AuthzCondition[] {
  const test = (attribute: 'principal' | 'namespace' | 'cluster', patterns: readonly string[]): AuthzCondition[] =>
    patterns.length === 0 ? [] : [{ kind: 'test', attribute, names: [], patterns: [...new Set(patterns)].sort(compareText) }];
  const none = (of: readonly AuthzCondition[]) => of.map((each): AuthzCondition => ({ kind: 'not', of: each }));
  return [
    ...test('principal', principals),
    ...none(test('principal', notPrincipals)),
    ...test('namespace', namespaces),
    ...none(test('namespace', notNamespaces)),
    ...test('cluster', clusters),
    ...(more === undefined ? [] : [more]),
  ];
}

/** Sources that only list principals, or namespaces, or clusters, are alternatives just as the entries of one list are. */
function gathered(from: readonly Source[]): readonly AuthzMatch[] {
  const lists = new Map<'principals' | 'namespaces' | 'clusters', string[]>();
  const others: AuthzMatch[] = [];
  for (const source of from) {
    const set = (Object.keys(anybody) as (keyof AuthzMatch)[]).filter((field) => source[field].length > 0);
    const [only] = set;
    if (set.length === 1 && (only === 'principals' || only === 'namespaces' || only === 'clusters')) {
      lists.set(only, [...(lists.get(only) ?? []), ...source[only]]);
    } else others.push(source);
  }
  return [...[...lists].map(([field, list]) => ({ ...anybody, [field]: list })), ...others].map(sorted);
}

function sorted(match: AuthzMatch): AuthzMatch {
  const list = (field: keyof AuthzMatch) => [...new Set(match[field])].sort(compareText);
  return {
    principals: list('principals'),
    namespaces: list('namespaces'),
    clusters: list('clusters'),
    notPrincipals: list('notPrincipals'),
    notNamespaces: list('notNamespaces'),
  };
}
