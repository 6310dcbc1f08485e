import { z } from 'zod';
import type { AuthzCondition } from '../../../core/authz/index.ts';
import type { AuthorizationPolicySpec, AuthorizationSource } from '../../../core/config/index.ts';
import { fields } from '../../../core/yaml/index.ts';
import type { SpecContext } from '../kinds/row.ts';
import {
  accountFault,
  allOf,
  anyOf,
  blockFault,
  cidrOf,
  hostFault,
  methodFault,
  noneOf,
  pathFault,
  patterns,
  portFault,
  requestPrincipalFault,
} from './authorization-match.ts';
import { whenCondition, whenSchema } from './authorization-when.ts';
import { principalFault, starFault } from './principal-pattern.ts';
import { refused } from './refused.ts';
import { checkSelection, matchLabels, targetRefs, targetsOf } from './workload-selection.ts';

function labelFault(text: string): string | undefined {
  return (
    starFault(text) ?? (/^[a-z0-9*-]{1,63}$/.test(text) ? undefined : 'can never match: names are lower-case letters, digits and hyphens')
  );
}

const hops = 'nothing tells which hops may be believed; ipBlocks are those of the direct peer';

const lists = {
  principals: patterns(principalFault),
  notPrincipals: patterns(principalFault),
  namespaces: patterns(labelFault),
  notNamespaces: patterns(labelFault),
  clusters: patterns(labelFault),
  notClusters: patterns(labelFault),
  ipBlocks: patterns(blockFault),
  notIpBlocks: patterns(blockFault),
  requestPrincipals: patterns(requestPrincipalFault),
  notRequestPrincipals: patterns(requestPrincipalFault),
  serviceAccounts: patterns(accountFault),
  notServiceAccounts: patterns(accountFault),
  trustDomains: patterns(starFault),
  notTrustDomains: patterns(starFault),
};

const source = someOf({ ...lists, remoteIpBlocks: refused(hops), notRemoteIpBlocks: refused(hops) }, 'a rule for anybody has no from');

const operation = someOf(
  {
    methods: patterns(methodFault),
    notMethods: patterns(methodFault),
    paths: patterns(pathFault),
    notPaths: patterns(pathFault),
    hosts: patterns(hostFault),
    notHosts: patterns(hostFault),
    ports: patterns(portFault),
    notPorts: patterns(portFault),
  },
  'a rule for everything has no to',
);

function someOf<S extends z.core.$ZodLooseShape>(shape: S, advice: string) {
  return fields(shape).refine((value) => Object.values(value as Record<string, unknown>).some((l) => Array.isArray(l) && l.length > 0), {
    error: `must hold a condition; ${advice}`,
    // After any other mistake it would blame what was only misspelt.
    when: (payload) => payload.issues.length === 0,
  });
}

const rule = fields({
  from: z.array(fields({ source })).min(1, { error: 'must name at least one source; leave it out for anybody' }).default([]),
  to: z.array(fields({ operation })).min(1, { error: 'must name at least one operation; leave it out for everything' }).default([]),
  when: z.array(whenSchema).min(1, { error: 'must name at least one condition; leave it out for none' }).default([]),
});

const actions = ['ALLOW', 'DENY', 'AUDIT'] as const;

const action = z.string().superRefine((text, ctx) => {
  if (actions.some((each) => each === text)) return;
  const message =
    text === 'CUSTOM'
      ? 'CUSTOM is not supported: there is no external authorisation; ALLOW, DENY or AUDIT'
      : `${JSON.stringify(text.slice(0, 40))} is none of ${actions.join(', ')}`;
  ctx.addIssue({ code: 'custom', message });
});

export const authorizationPolicySchema = fields({
  selector: matchLabels,
  action: action.default('ALLOW'),
  rules: z.array(rule).default([]),
  targetRef: refused('it is targetRefs, a list'),
  targetRefs,
  provider: refused('it belongs to action CUSTOM'),
}).superRefine((value, ctx) => {
  checkSelection(value, ctx);
  if ((value.action !== 'DENY' && value.action !== 'AUDIT') || value.rules.length > 0) return;
  const does = value.action === 'DENY' ? 'denies nobody' : 'marks nothing';
  ctx.addIssue({ code: 'custom', path: ['rules'], message: `must hold a rule: ${value.action} without any ${does}` });
});

type Source = z.output<typeof source>;
type Operation = z.output<typeof operation>;

export function toAuthorizationPolicy(
  spec: z.output<typeof authorizationPolicySchema>,
  { namespace }: SpecContext,
): AuthorizationPolicySpec {
  const rules = spec.rules.map(({ from, to, when }) => {
    const operations = to.flatMap((each) => allOf(operationConditions(each.operation)) ?? []);
    const any: readonly AuthzCondition[] = operations.length < 2 ? operations : [{ kind: 'any', of: operations }];
    const further = allOf([...any, ...when.flatMap((each) => whenCondition(each) ?? [])]);
    return { from: from.map((each) => sourceOf(each.source, namespace)), ...(further === undefined ? {} : { when: further }) };
  });
  const known = actions.find((each) => each === spec.action) ?? 'DENY';
  const services = targetsOf(spec.targetRefs);
  return { selector: spec.selector.matchLabels, action: known, rules, ...(services === undefined ? {} : { services }) };
}

function sourceOf(source: Source, namespace: string): AuthorizationSource {
  const { principals, notPrincipals, namespaces, notNamespaces, clusters } = source;
  const account = (text: string) => (text.includes('/') ? text : `${namespace}/${text}`);
  const block = (text: string) => cidrOf(text) ?? text;
  const more = allOf([
    ...noneOf('cluster', source.notClusters),
    ...anyOf('source-ip', source.ipBlocks.map(block)),
    ...noneOf('source-ip', source.notIpBlocks.map(block)),
    ...anyOf('request-principal', source.requestPrincipals),
    ...noneOf('request-principal', source.notRequestPrincipals),
    ...anyOf('service-account', source.serviceAccounts.map(account)),
    ...noneOf('service-account', source.notServiceAccounts.map(account)),
    ...anyOf('trust-domain', source.trustDomains),
    ...noneOf('trust-domain', source.notTrustDomains),
  ]);
  return { principals, notPrincipals, namespaces, notNamespaces, clusters, ...(more === undefined ? {} : { more }) };
}

function operationConditions(to: Operation): readonly AuthzCondition[] {
  return [
    ...anyOf('host', to.hosts),
    ...noneOf('host', to.notHosts),
    ...anyOf('method', to.methods),
    ...noneOf('method', to.notMethods),
    ...anyOf('path', to.paths),
    ...noneOf('path', to.notPaths),
    ...anyOf('port', to.ports),
    ...noneOf('port', to.notPorts),
  ];
}
