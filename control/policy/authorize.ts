import { matchesGlob } from '../../core/registry/glob.ts';
import type { AuthzRule, Caller } from './contract.ts';

export interface Decision {
  readonly allowed: boolean;
  /** The rule that decided; absent: no rule allows it. */
  readonly rule?: AuthzRule;
}

/** What the mTLS end will say to a caller: deny rules first, then any allow rule, otherwise refused. Pure; for explain and tests. */
export function authorize(rules: readonly AuthzRule[], caller: Caller): Decision {
  const denying = rules.find((rule) => rule.action === 'deny' && matches(rule, caller));
  if (denying !== undefined) return { allowed: false, rule: denying };
  const allowing = rules.find((rule) => rule.action === 'allow' && matches(rule, caller));
  return allowing === undefined ? { allowed: false } : { allowed: true, rule: allowing };
}

function matches(rule: AuthzRule, caller: Caller): boolean {
  const any = (patterns: readonly string[], text: string) => patterns.length === 0 || patterns.some((p) => matchesGlob(p, text));
  return any(rule.principals, caller.principal) && any(rule.namespaces, caller.namespace) && any(rule.clusters, caller.cluster);
}
