import type { AuthzMatch, AuthzRule, Caller } from './contract.ts';

export interface Decision {
  readonly allowed: boolean;
  /** The first rule that decided; absent: no rule allows it. */
  readonly rule?: AuthzRule;
}

/**
 * What an mTLS end says to a caller: deny rules first, then any allow rule, otherwise refused. The one evaluation of the mesh: who
 * terminates mTLS enforces by it, and control planes say by it who may call whom. Pure; costs no more than its rules.
 */
export function authorize(rules: readonly AuthzRule[], caller: Caller): Decision {
  const denying = rules.find((rule) => rule.action === 'deny' && matches(rule, caller));
  if (denying !== undefined) return { allowed: false, rule: denying };
  const allowing = rules.find((rule) => rule.action === 'allow' && matches(rule, caller));
  return allowing === undefined ? { allowed: false } : { allowed: true, rule: allowing };
}

function matches(rule: AuthzRule, caller: Caller): boolean {
  return positive(rule, caller) && (rule.also ?? []).every((match) => positive(match, caller) && !excluded(match, caller));
}

function positive({ principals, namespaces, clusters }: Pick<AuthzMatch, 'principals' | 'namespaces' | 'clusters'>, caller: Caller) {
  return anyOrNone(principals, caller.principal) && anyOrNone(namespaces, caller.namespace) && anyOrNone(clusters, caller.cluster);
}

function excluded({ notPrincipals, notNamespaces }: AuthzMatch, caller: Caller): boolean {
  return notPrincipals.some((p) => matchesPattern(p, caller.principal)) || notNamespaces.some((p) => matchesPattern(p, caller.namespace));
}

function anyOrNone(patterns: readonly string[], value: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matchesPattern(pattern, value));
}

/** See AuthzMatch. No pattern matches the empty value: what was not proven is nobody's. */
export function matchesPattern(pattern: string, value: string): boolean {
  if (value === '') return false;
  if (pattern === '*') return true;
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*')) return value.endsWith(pattern.slice(1));
  return pattern === value;
}
