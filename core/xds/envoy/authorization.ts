import type { AuthzRule, TokenRule } from '../../authz/index.ts';
import { Action, RBAC_Action } from '../gen/envoy/config/rbac/v3/rbac.ts';
import { RBAC as HttpRbac } from '../gen/envoy/extensions/filters/http/rbac/v3/rbac.ts';
import { RBAC as NetworkRbac } from '../gen/envoy/extensions/filters/network/rbac/v3/rbac.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { Matcher, Matcher_MatcherList_FieldMatcher, type Matcher_MatcherList_Predicate } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig, packed } from './any.ts';
import type { EnvoyCondition, SanMatch } from './envoy-condition.ts';
import { peerSerialInput, serialRegex } from './peer-serial.ts';
import { ruleCondition } from './san-condition.ts';
import { regexMatch, single, testPredicate } from './test-predicate.ts';

export interface Authorization {
  readonly trustDomain: string;
  readonly rules: readonly AuthzRule[];
  /** Certificates that are refused whatever they say, by their serial numbers: hexadecimal, lower case. */
  readonly deniedSerials: readonly string[];
  /** Other trust domains, of which callers may come too. Absent: none. */
  readonly federated?: readonly string[];
  /** How tokens of requests are verified; absent: they are not. */
  readonly tokens?: readonly TokenRule[];
  /** The service port that callers ask for; absent: it cannot be told, and rules that name ports let nobody in. */
  readonly port?: number;
  /** Callers come in the clear. Default: by mTLS. */
  readonly plaintext?: true;
}

type Transport = 'http' | 'tcp';

const rbacName = 'envoy.filters.network.rbac';
const httpRbacName = 'envoy.filters.http.rbac';

/** Decides at the first byte: see peer-gate.ts for what comes before. */
export function networkRbac(authorization: Authorization, statPrefix: string): { name: string; config: Any } {
  const config = NetworkRbac.create({ matcher: matcherOf(authorization, 'tcp'), ...shadow(authorization, 'tcp'), statPrefix });
  return { name: rbacName, config: packed('envoy.extensions.filters.network.rbac.v3.RBAC', NetworkRbac, config) };
}

export function httpRbac(authorization: Authorization): { name: string; config: Any } {
  const config = HttpRbac.create({ matcher: matcherOf(authorization, 'http'), ...shadow(authorization, 'http') });
  return { name: httpRbacName, config: packed('envoy.extensions.filters.http.rbac.v3.RBAC', HttpRbac, config) };
}

const auditPrefix = 'audit_';

/** For access logs: which rule marked it; of several the first. Undefined: none could. */
export function auditMark({ rules }: Authorization, transport: Transport): string | undefined {
  if (!rules.some((rule) => rule.action === 'audit')) return undefined;
  return `%DYNAMIC_METADATA(${transport === 'http' ? httpRbacName : rbacName}:${auditPrefix}shadow_effective_policy_id)%`;
}

/** What is only marked is asked as if it decided, and what comes of it is kept beside the request. */
function shadow(authorization: Authorization, transport: Transport) {
  const { matchers, otherwise } = matchersOf(authorization, ['audit'], transport);
  if (matchers.length === 0 && otherwise === undefined) return {};
  const none = otherwise === undefined ? {} : { onNoMatch: otherwise };
  if (matchers.length === 0) return { shadowMatcher: Matcher.create(none), shadowRulesStatPrefix: auditPrefix };
  return {
    shadowMatcher: Matcher.create({ matcherType: { $case: 'matcherList', value: { matchers } }, ...none }),
    shadowRulesStatPrefix: auditPrefix,
  };
}

/**
 * DENY rules first, then the first ALLOW rule that matches, otherwise refused. Not with `authenticated` principals: they look for a
 * name among SANs of either kind, and so take a URI SAN for the cluster's name.
 */
function matcherOf(authorization: Authorization, transport: Transport): Matcher {
  const { deniedSerials } = authorization;
  const { matchers, otherwise = act('none', RBAC_Action.DENY) } = matchersOf(authorization, ['deny', 'allow'], transport);
  if (matchers.length === 0) return Matcher.create({ onNoMatch: otherwise });
  if (deniedSerials.length > 0) {
    const predicate = single(peerSerialInput, regexMatch(serialRegex(deniedSerials)));
    matchers.unshift(Matcher_MatcherList_FieldMatcher.create({ predicate, onMatch: act('denied-serial', RBAC_Action.DENY) }));
  }
  return Matcher.create({ matcherType: { $case: 'matcherList', value: { matchers } }, onNoMatch: otherwise });
}

const actions = { allow: RBAC_Action.ALLOW, deny: RBAC_Action.DENY, audit: RBAC_Action.LOG };

/** Those that could match, in the order of `order`; `otherwise`: the first that does in any case, and what comes after it is not asked. */
function matchersOf(
  { trustDomain, rules, port, federated, plaintext }: Authorization,
  order: readonly AuthzRule['action'][],
  transport: Transport,
): { readonly matchers: Matcher_MatcherList_FieldMatcher[]; readonly otherwise?: ReturnType<typeof act> } {
  const ordered = order.flatMap((action) => rules.filter((rule) => rule.action === action));
  const matchers: Matcher_MatcherList_FieldMatcher[] = [];
  for (const rule of ordered) {
    const condition = ruleCondition(rule, { trustDomain, transport, port, federated, plaintext });
    const onMatch = act(rule.name, actions[rule.action]);
    if (condition.kind === 'always') return { matchers, otherwise: onMatch };
    if (condition.kind === 'never') continue;
    matchers.push(Matcher_MatcherList_FieldMatcher.create({ predicate: predicateOf(condition, transport), onMatch }));
  }
  return { matchers };
}

function act(name: string, action: RBAC_Action) {
  const typedConfig = packed('envoy.config.rbac.v3.Action', Action, Action.create({ name, action }));
  return { onMatch: { $case: 'action' as const, value: { name, typedConfig } } };
}

function predicateOf(condition: EnvoyCondition, transport: Transport): Matcher_MatcherList_Predicate {
  const each = (of: EnvoyCondition) => predicateOf(of, transport);
  switch (condition.kind) {
    case 'all':
      return { matchType: { $case: 'andMatcher', value: { predicate: condition.of.map(each) } } };
    case 'any':
      return { matchType: { $case: 'orMatcher', value: { predicate: condition.of.map(each) } } };
    case 'not':
      return { matchType: { $case: 'notMatcher', value: each(condition.of) } };
    case 'uri':
    case 'dns':
      return sanMatch(condition);
    case 'test':
      return testPredicate(condition.test, transport === 'http');
    case 'always':
    case 'never':
      throw new Error('what is settled is no part of a condition');
  }
}

function sanMatch({ kind, regex }: SanMatch): Matcher_MatcherList_Predicate {
  const name = kind === 'uri' ? 'UriSanInput' : 'DnsSanInput';
  return single({ name, typedConfig: emptyConfig(`envoy.extensions.matching.common_inputs.ssl.v3.${name}`) }, regexMatch(regex));
}
