import { type AuthzFacts, auditedBy, authorize, type Caller, mayBeAllowed } from '../../core/authz/index.ts';
import { gatewayServiceAccount, systemNamespace } from '../../core/model/index.ts';
import type { ServiceAuthz } from './contract.ts';
import { missedBy } from './explain-rule.ts';

export interface ExplainedDecision {
  readonly allowed: boolean;
  /** Only some requests are, and which was not said. */
  readonly depends?: true;
  /** One sentence without a full stop: what decided. */
  readonly text: string;
  /** Everything that was looked at, in order. */
  readonly details: readonly string[];
}

/**
 * Which rule or policy decides about a caller, or about one request of it where the facts tell of one, and of a refusal which of the two
 * conditions was missed and what would have to be otherwise. Pure.
 */
export function explainDecision(authz: ServiceAuthz, facts: AuthzFacts): ExplainedDecision {
  const { allowed, rule } = authorize(authz.rules, facts);
  const who = `${facts.principal} of ${facts.cluster}`;
  const deciding = authz.rules.filter((r) => r.action !== 'audit');
  const listed = [...new Set([...policyLines(authz), ...deciding.map((r) => `${r.action} ${r.name}`)])];
  const details = [...listed, ...auditedBy(authz.rules, facts).map((name) => `marked by audit ${name}`)];
  if (allowed) return { allowed, text: `allowed by "${rule?.name}"`, details };
  const open = mayBeAllowed(authz.rules, facts);
  if (open && facts.request === undefined) {
    const text = 'some requests are allowed: say --method, --path and the like to learn which rule decides';
    return { allowed: true, depends: true, text, details: [...details, ...misses(authz, facts)] };
  }
  const gateway = facts.principal.endsWith(`/ns/${systemNamespace}/sa/${gatewayServiceAccount}`);
  const hint = gateway ? ['the caller is a gateway, for all who call through it: policies on their own identities cannot match'] : [];
  const missing = facts.request === undefined ? [] : rule === undefined ? misses(authz, facts) : [`deny ${rule.name} would have to change`];
  return { allowed, text: refusal(authz, facts, who, rule?.name), details: [...hint, ...details, ...missing] };
}

/** Of each allow rule: what would have to be otherwise. */
function misses({ rules }: ServiceAuthz, facts: AuthzFacts): readonly string[] {
  const allowing = rules.filter((r) => r.action === 'allow');
  return allowing.map(
    (r) => `allow ${r.name} does not match: ${missedBy(r, facts).join('; ') || 'it asks for requests, which a byte stream has not'}`,
  );
}

function refusal({ selectedBy }: ServiceAuthz, caller: Caller, who: string, denying: string | undefined): string {
  if (denying !== undefined) return `denied by "${denying}"`;
  const narrowed = selectedBy !== undefined && selectedBy.allow.length > 0 && authorize(selectedBy.base, caller).allowed;
  if (!narrowed) return `no rule allows ${who}`;
  return `no rule of the ALLOW policies that select it (${selectedBy.allow.join(', ')}) matches ${who}`;
}

function policyLines({ selectedBy, tokens = [] }: ServiceAuthz): string[] {
  const line = (action: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`selected by AuthorizationPolicy ${action}: ${names.join(', ')}`];
  const issuers = tokens.length === 0 ? [] : [`tokens are verified of ${tokens.map((t) => t.issuer).join(', ')}`];
  if (selectedBy === undefined) return issuers;
  return [...line('DENY', selectedBy.deny), ...line('ALLOW', selectedBy.allow), ...line('AUDIT', selectedBy.audit), ...issuers];
}
