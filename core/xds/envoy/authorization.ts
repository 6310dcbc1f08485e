import type { AuthzRule } from '../../authz/index.ts';
import { Action, RBAC_Action } from '../gen/envoy/config/rbac/v3/rbac.ts';
import { RBAC as HttpRbac } from '../gen/envoy/extensions/filters/http/rbac/v3/rbac.ts';
import { RBAC as NetworkRbac } from '../gen/envoy/extensions/filters/network/rbac/v3/rbac.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import type { TypedExtensionConfig } from '../gen/xds/core/v3/extension.ts';
import { Matcher, Matcher_MatcherList_FieldMatcher, Matcher_MatcherList_Predicate } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig, packed } from './any.ts';
import { peerSerialInput, serialRegex } from './peer-serial.ts';
import { ruleCondition, type SanCondition, type SanMatch } from './san-condition.ts';

export interface Authorization {
  readonly trustDomain: string;
  readonly rules: readonly AuthzRule[];
  /** Certificates that are refused whatever they say, by their serial numbers: hexadecimal, lower case. */
  readonly deniedSerials: readonly string[];
}

const rbacName = 'envoy.filters.network.rbac';

/** Decides at the first byte: see peer-gate.ts for what comes before. */
export function networkRbac(authorization: Authorization, statPrefix: string): { name: string; config: Any } {
  const config = NetworkRbac.create({ matcher: matcherOf(authorization), statPrefix });
  return { name: rbacName, config: packed('envoy.extensions.filters.network.rbac.v3.RBAC', NetworkRbac, config) };
}

export function httpRbac(authorization: Authorization): { name: string; config: Any } {
  const config = HttpRbac.create({ matcher: matcherOf(authorization) });
  return { name: 'envoy.filters.http.rbac', config: packed('envoy.extensions.filters.http.rbac.v3.RBAC', HttpRbac, config) };
}

/**
 * DENY rules first, then the first ALLOW rule that matches, otherwise refused. Not with `authenticated` principals: they look for a
 * name among SANs of either kind, and so take a URI SAN for the cluster's name.
 */
function matcherOf({ trustDomain, rules, deniedSerials }: Authorization): Matcher {
  const ordered = [...rules.filter((rule) => rule.action === 'deny'), ...rules.filter((rule) => rule.action === 'allow')];
  if (ordered.length === 0) return Matcher.create({ onNoMatch: act('none', RBAC_Action.DENY) });
  const matchers = ordered.map((rule) =>
    Matcher_MatcherList_FieldMatcher.create({
      predicate: predicate(ruleCondition(rule, trustDomain)),
      onMatch: act(rule.name, rule.action === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW),
    }),
  );
  if (deniedSerials.length > 0) {
    const predicate = single(peerSerialInput, serialRegex(deniedSerials));
    matchers.unshift(Matcher_MatcherList_FieldMatcher.create({ predicate, onMatch: act('denied-serial', RBAC_Action.DENY) }));
  }
  return Matcher.create({ matcherType: { $case: 'matcherList', value: { matchers } }, onNoMatch: act('none', RBAC_Action.DENY) });
}

function act(name: string, action: RBAC_Action) {
  const typedConfig = packed('envoy.config.rbac.v3.Action', Action, Action.create({ name, action }));
  return { onMatch: { $case: 'action' as const, value: { name, typedConfig } } };
}

function predicate(condition: SanCondition): Matcher_MatcherList_Predicate {
  switch (condition.kind) {
    case 'all':
      return { matchType: { $case: 'andMatcher', value: { predicate: condition.of.map(predicate) } } };
    case 'any':
      return { matchType: { $case: 'orMatcher', value: { predicate: condition.of.map(predicate) } } };
    case 'not':
      return { matchType: { $case: 'notMatcher', value: predicate(condition.of) } };
    case 'uri':
    case 'dns':
      return sanMatch(condition);
  }
}

function sanMatch({ kind, regex }: SanMatch): Matcher_MatcherList_Predicate {
  const name = kind === 'uri' ? 'UriSanInput' : 'DnsSanInput';
  return single({ name, typedConfig: emptyConfig(`envoy.extensions.matching.common_inputs.ssl.v3.${name}`) }, regex);
}

function single(input: TypedExtensionConfig, regex: string): Matcher_MatcherList_Predicate {
  const matchPattern = { $case: 'safeRegex' as const, value: { engineType: { $case: 'googleRe2' as const, value: {} }, regex } };
  const matcher = { $case: 'valueMatch' as const, value: { matchPattern, ignoreCase: false } };
  return Matcher_MatcherList_Predicate.create({ matchType: { $case: 'singlePredicate', value: { input, matcher } } });
}
