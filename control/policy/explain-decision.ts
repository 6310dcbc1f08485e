import { authorize, type Caller } from '../../core/authz/index.ts';
import { gatewayServiceAccount, systemNamespace } from '../../core/model/index.ts';
import type { ServiceAuthz } from './contract.ts';

export interface ExplainedDecision {
  readonly allowed: boolean;
  /** One sentence without a full stop: what decided. */
  readonly text: string;
  /** Everything that was looked at, in order. */
  readonly details: readonly string[];
}

/** Which rule or policy decides about a caller, and of a refusal which of the two conditions was missed. Pure. */
export function explainDecision(authz: ServiceAuthz, caller: Caller): ExplainedDecision {
  const { allowed, rule } = authorize(authz.rules, caller);
  const who = `${caller.principal} of ${caller.cluster}`;
  const details = [...new Set([...policyLines(authz), ...authz.rules.map((r) => `${r.action} ${r.name}`)])];
  if (allowed) return { allowed, text: `allowed by "${rule?.name}"`, details };
  const gateway = caller.principal.endsWith(`/ns/${systemNamespace}/sa/${gatewayServiceAccount}`);
  const hint = gateway ? ['the caller is a gateway, for all who call through it: policies on their own identities cannot match'] : [];
  return { allowed, text: refusal(authz, caller, who, rule?.name), details: [...hint, ...details] };
}

function refusal({ selectedBy }: ServiceAuthz, caller: Caller, who: string, denying: string | undefined): string {
  if (denying !== undefined) return `denied by "${denying}"`;
  const narrowed = selectedBy !== undefined && selectedBy.allow.length > 0 && authorize(selectedBy.base, caller).allowed;
  if (!narrowed) return `no rule allows ${who}`;
  return `no rule of the ALLOW policies that select it (${selectedBy.allow.join(', ')}) matches ${who}`;
}

function policyLines({ selectedBy }: ServiceAuthz): string[] {
  if (selectedBy === undefined) return [];
  const line = (action: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`selected by AuthorizationPolicy ${action}: ${names.join(', ')}`];
  return [...line('DENY', selectedBy.deny), ...line('ALLOW', selectedBy.allow)];
}
