import type { AuthzRuleState, AuthzState } from '../state/types.ts';
import type { PeerIdentity } from './contract.ts';

/** `rule`: the one that decided; `none` when no ALLOW rule matched. */
interface AuthzVerdict {
  readonly allowed: boolean;
  readonly rule: string;
}

/** DENY rules first; then any ALLOW rule that matches lets the peer in; otherwise it is refused. Pure. */
function evaluateAuthz(authz: AuthzState, peer: PeerIdentity): AuthzVerdict {
  const denied = authz.rules.find((rule) => rule.action === 'deny' && matches(rule, peer));
  if (denied !== undefined) return { allowed: false, rule: denied.name };
  const allowed = authz.rules.find((rule) => rule.action === 'allow' && matches(rule, peer));
  return allowed === undefined ? { allowed: false, rule: 'none' } : { allowed: true, rule: allowed.name };
}

/** In Envoy's words; undefined: allowed. */
export function denialOf(authz: AuthzState, peer: PeerIdentity): string | undefined {
  const { allowed, rule } = evaluateAuthz(authz, peer);
  return allowed ? undefined : `rbac_access_denied_matched_policy[${rule}]`;
}

/** All non-empty fields must match; a rule without any matches everybody the mesh knows. */
function matches(rule: AuthzRuleState, peer: PeerIdentity): boolean {
  return (
    anyMatches(rule.principals, peer.principal) && anyMatches(rule.namespaces, peer.namespace) && anyMatches(rule.clusters, peer.cluster)
  );
}

function anyMatches(patterns: readonly string[], value: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matchesPattern(pattern, value));
}

/** `*` alone, a leading or a trailing `*`; as Istio's AuthorizationPolicy. Never matches the empty value. */
function matchesPattern(pattern: string, value: string): boolean {
  if (value === '') return false;
  if (pattern === '*') return true;
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*')) return value.endsWith(pattern.slice(1));
  return pattern === value;
}
