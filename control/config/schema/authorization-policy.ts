import { z } from 'zod';
import type { AuthorizationPolicySpec } from '../../../core/config/index.ts';
import { fields } from '../../../core/yaml/index.ts';
import { principalFault, starFault } from './principal-pattern.ts';
import { refused } from './refused.ts';

function patterns(faultOf: (text: string) => string | undefined) {
  const pattern = z.string().superRefine((text, ctx) => {
    const fault = faultOf(text);
    if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
  });
  return z.array(pattern).min(1, { error: 'must name at least one; leave the field out for no condition' }).default([]);
}

function labelFault(text: string): string | undefined {
  return (
    starFault(text) ?? (/^[a-z0-9*-]{1,63}$/.test(text) ? undefined : 'can never match: names are lower-case letters, digits and hyphens')
  );
}

const plaintext = 'by source address nobody is known here: name principals, namespaces or clusters';
const tokens = 'it needs RequestAuthentication, which is not there yet';
const accounts = 'write the principal, TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT';

const source = fields({
  principals: patterns(principalFault),
  notPrincipals: patterns(principalFault),
  namespaces: patterns(labelFault),
  notNamespaces: patterns(labelFault),
  clusters: patterns(labelFault),
  notClusters: refused('list the clusters that are meant in clusters'),
  ipBlocks: refused(plaintext),
  notIpBlocks: refused(plaintext),
  remoteIpBlocks: refused(plaintext),
  notRemoteIpBlocks: refused(plaintext),
  requestPrincipals: refused(tokens),
  notRequestPrincipals: refused(tokens),
  serviceAccounts: refused(accounts),
  notServiceAccounts: refused(accounts),
  trustDomains: refused('one trust domain holds the mesh: name principals, namespaces or clusters'),
  notTrustDomains: refused('one trust domain holds the mesh: name principals, namespaces or clusters'),
}).refine(
  (value) => [value.principals, value.notPrincipals, value.namespaces, value.notNamespaces, value.clusters].some((l) => l.length > 0),
  {
    error: 'must hold a condition; a rule for anybody has no from',
    // After any other mistake it would blame what was only misspelt.
    when: (payload) => payload.issues.length === 0,
  },
);

const rule = fields({
  from: z.array(fields({ source })).min(1, { error: 'must name at least one source; leave it out for anybody' }).default([]),
  to: refused('rules are by caller only'),
  when: refused('rules are by caller only'),
});

const action = z.string().superRefine((text, ctx) => {
  if (text === 'ALLOW' || text === 'DENY') return;
  const known = text === 'AUDIT' || text === 'CUSTOM';
  const message = known ? `${text} is not supported: ALLOW or DENY` : `${JSON.stringify(text.slice(0, 40))} is none of ALLOW, DENY`;
  ctx.addIssue({ code: 'custom', message });
});

const noStar = z.string().refine((text) => !text.includes('*'), { error: 'must not hold a *: labels are compared as they are' });
const labelKey = noStar.min(1, { error: 'must not be empty' });

export const authorizationPolicySchema = fields({
  selector: fields({ matchLabels: z.record(labelKey, noStar).default({}) }).prefault({}),
  action: action.default('ALLOW'),
  rules: z.array(rule).default([]),
  targetRef: refused('select services by selector'),
  targetRefs: refused('select services by selector'),
  provider: refused('it belongs to action CUSTOM'),
}).superRefine((value, ctx) => {
  if (value.action !== 'DENY' || value.rules.length > 0) return;
  ctx.addIssue({ code: 'custom', path: ['rules'], message: 'must hold a rule: DENY without any denies nobody' });
});

export function toAuthorizationPolicy(spec: z.output<typeof authorizationPolicySchema>): AuthorizationPolicySpec {
  const sourceOf = ({ principals, notPrincipals, namespaces, notNamespaces, clusters }: z.output<typeof source>) => ({
    principals,
    notPrincipals,
    namespaces,
    notNamespaces,
    clusters,
  });
  const rules = spec.rules.map(({ from }) => ({ from: from.map((each) => sourceOf(each.source)) }));
  return { selector: spec.selector.matchLabels, action: spec.action === 'DENY' ? 'DENY' : 'ALLOW', rules };
}
