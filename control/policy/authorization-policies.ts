import type { AuthzMatch, AuthzRule } from '../../core/authz/index.ts';
import type { AuthorizationPolicyObject, AuthorizationPolicySpec } from '../../core/config/index.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { compareText, type MergedService } from '../catalog/index.ts';
import type { Policy, ServiceAuthz } from './contract.ts';

/** What one object says, compiled once for all services that it selects. */
interface Compiled {
  readonly name: string;
  readonly selector: readonly (readonly [key: string, value: string])[];
  readonly action: 'allow' | 'deny';
  readonly conditions: readonly Condition[];
}

/** `match` absent: anybody. */
interface Condition {
  readonly name: string;
  readonly match?: AuthzMatch;
}

type Source = AuthorizationPolicySpec['rules'][number]['from'][number];

/**
 * Istio's AuthorizationPolicy, after the policies that say who may call without one. A DENY rule that matches refuses. Where ALLOW
 * policies select a service, a caller must match one of their rules besides a rule of the policies before: they narrow, and never
 * open to a peer what is not exported to it. They guard what this cluster's own endpoints serve, so a service without any is left
 * alone: its peer decides at its end, by policies that are not known here.
 */
export function authorizationPolicies(objects: readonly AuthorizationPolicyObject[]): Policy {
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
      return selecting.length === 0 ? draft : guard(draft, selecting);
    },
  };
}

function idOf({ namespace, name }: AuthorizationPolicyObject): string {
  return `${namespace}/${name}`;
}

/**
 * By the labels of the service, or by those with one endpoint's added, as Istio selects workloads. One endpoint is enough: a
 * service whose endpoints differ would else lose its guard by the one that lacks a label.
 */
function selects({ selector }: Compiled, { labels, endpoints }: MergedService): boolean {
  const has = (own: Readonly<Record<string, string>>, key: string, value: string) => Object.hasOwn(own, key) && own[key] === value;
  if (selector.every(([key, value]) => has(labels, key, value))) return true;
  return endpoints.some((e) => selector.every(([key, value]) => has(e.labels, key, value) || has(labels, key, value)));
}

function guard(draft: ServiceAuthz, selecting: readonly Compiled[]): ServiceAuthz {
  const denying = selecting.filter((p) => p.action === 'deny');
  const allowing = selecting.filter((p) => p.action === 'allow');
  const names = (list: readonly Compiled[]) => list.map((p) => p.name);
  const refused = draft.rules.filter((r) => r.action === 'deny');
  const allowed = draft.rules.filter((r) => r.action === 'allow');
  const both = allowing.flatMap((p) => p.conditions).flatMap((condition) => joined(allowed).map((base) => narrowed(base, condition)));
  return {
    ...draft,
    rules: [...refused, ...denying.flatMap((p) => p.conditions).map(denial), ...(allowing.length === 0 ? allowed : both)],
    selectedBy: { deny: names(denying), allow: names(allowing), base: draft.rules },
  };
}

/** Rules that only name clusters as one, so that what a service costs does not grow with peers × policies. */
function joined(allowed: readonly AuthzRule[]): readonly AuthzRule[] {
  const simple = (r: AuthzRule) => r.clusters.length > 0 && r.principals.length + r.namespaces.length === 0 && r.also === undefined;
  const [first, ...more] = allowed.filter(simple);
  if (first === undefined || more.length === 0) return allowed;
  const clusters = [...new Set([first, ...more].flatMap((r) => r.clusters))].sort(compareText);
  return [{ ...first, clusters }, ...allowed.filter((r) => !simple(r))];
}

function narrowed(base: AuthzRule, { name, match }: Condition): AuthzRule {
  return { ...base, name, ...(match === undefined ? {} : { also: [...(base.also ?? []), match] }) };
}

/** What older data planes know of a match stands in the rule itself: they refuse by it too, and by less they would refuse more. */
function denial({ name, match }: Condition): AuthzRule {
  const { principals, namespaces, clusters } = match ?? anybody;
  const rule: AuthzRule = { action: 'deny', name, principals, namespaces, clusters };
  if (match === undefined || match.notPrincipals.length + match.notNamespaces.length === 0) return rule;
  return { ...rule, also: [{ ...match, principals: [], namespaces: [], clusters: [] }] };
}

const anybody: AuthzMatch = { principals: [], namespaces: [], clusters: [], notPrincipals: [], notNamespaces: [] };

function compile(object: AuthorizationPolicyObject): Compiled {
  const { selector, action, rules } = object.spec;
  const conditions = rules.flatMap(({ from }, i) => {
    // As Istio's proxies name it in their logs.
    const name = `ns[${object.namespace}]-policy[${object.name}]-rule[${i}]`;
    return from.length === 0 ? [{ name }] : gathered(from).map((match) => ({ name, match }));
  });
  return { name: idOf(object), selector: Object.entries(selector), action: action === 'DENY' ? 'deny' : 'allow', conditions };
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
