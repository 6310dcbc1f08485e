import type { AuthzMatch, AuthzRule } from '../../authz/index.ts';
import { Action, RBAC_Action } from '../gen/envoy/config/rbac/v3/rbac.ts';
import { RBAC as HttpRbac } from '../gen/envoy/extensions/filters/http/rbac/v3/rbac.ts';
import { RBAC as NetworkRbac } from '../gen/envoy/extensions/filters/network/rbac/v3/rbac.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { Matcher, Matcher_MatcherList_FieldMatcher, Matcher_MatcherList_Predicate } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig, packed } from './any.ts';

export interface Authorization {
  readonly trustDomain: string;
  readonly rules: readonly AuthzRule[];
}

const rbacName = 'envoy.filters.network.rbac';

export function networkRbac(authorization: Authorization, statPrefix: string): { name: string; config: Any } {
  const config = NetworkRbac.create({ matcher: matcherOf(authorization), statPrefix });
  return { name: rbacName, config: packed('envoy.extensions.filters.network.rbac.v3.RBAC', NetworkRbac, config) };
}

export function httpRbac(authorization: Authorization): { name: string; config: Any } {
  const config = HttpRbac.create({ matcher: matcherOf(authorization) });
  return { name: 'envoy.filters.http.rbac', config: packed('envoy.extensions.filters.http.rbac.v3.RBAC', HttpRbac, config) };
}

/**
 * DENY rules first, then the first ALLOW rule that matches, otherwise refused: Envoy denies what no matcher takes. Each rule
 * looks at the pair of URI SAN and DNS SAN. Inputs are all SANs of one kind, joined: one that is matched whole is the only
 * one, so a certificate with two identities, or without the cluster's, has none. `authenticated` principals would not
 * do: they look for a name among SANs of either kind.
 */
function matcherOf({ trustDomain, rules }: Authorization): Matcher {
  const ordered = [...rules.filter((rule) => rule.action === 'deny'), ...rules.filter((rule) => rule.action === 'allow')];
  if (ordered.length === 0) return Matcher.create({ onNoMatch: act('none', RBAC_Action.DENY) });
  return Matcher.create({
    matcherType: { $case: 'matcherList', value: { matchers: ordered.map((rule) => fieldMatcher(rule, trustDomain)) } },
    onNoMatch: act('none', RBAC_Action.DENY),
  });
}

function fieldMatcher(rule: AuthzRule, trustDomain: string): Matcher_MatcherList_FieldMatcher {
  const predicates = [
    sanMatch(uriSan, { regex: `${escaped(`spiffe://${trustDomain}/ns/`)}${segment}+/sa/${segment}+` }),
    sanMatch(dnsSan, { regex: `${segment}+${escaped(`.cluster.${trustDomain}`)}` }),
    ...conditions(rule, trustDomain),
    ...(rule.also ?? []).flatMap((match) => [...conditions(match, trustDomain), ...exclusions(match, trustDomain)]),
  ];
  return Matcher_MatcherList_FieldMatcher.create({
    predicate: Matcher_MatcherList_Predicate.create({ matchType: { $case: 'andMatcher', value: { predicate: predicates } } }),
    onMatch: act(rule.name, rule.action === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW),
  });
}

function conditions(match: Pick<AuthzMatch, 'principals' | 'namespaces' | 'clusters'>, trustDomain: string) {
  return [
    ...any(match.principals.map(principal)),
    ...any(match.namespaces.map((pattern) => namespace(pattern, trustDomain))),
    ...any(match.clusters.map((pattern) => sanMatch(dnsSan, around('', pattern, `.cluster.${trustDomain}`)))),
  ];
}

function exclusions({ notPrincipals, notNamespaces }: AuthzMatch, trustDomain: string) {
  const excluded = [...notPrincipals.map(principal), ...notNamespaces.map((pattern) => namespace(pattern, trustDomain))];
  return excluded.map((value) => Matcher_MatcherList_Predicate.create({ matchType: { $case: 'notMatcher', value } }));
}

function principal(pattern: string) {
  return sanMatch(uriSan, around('spiffe://', pattern, ''));
}

function namespace(pattern: string, trustDomain: string) {
  const { regex } = around(`spiffe://${trustDomain}/ns/`, pattern, '/sa/');
  return sanMatch(uriSan, { regex: `${regex}${segment}+` });
}

function act(name: string, action: RBAC_Action) {
  const typedConfig = packed('envoy.config.rbac.v3.Action', Action, Action.create({ name, action }));
  return { onMatch: { $case: 'action' as const, value: { name, typedConfig } } };
}

/** Any one character of a name; SANs of one kind are joined by commas. */
const segment = '[^,/]';

interface Text {
  /** RE2; matches the whole. */
  readonly regex: string;
}

/** `pattern` as AuthzMatch has it, between two texts. */
function around(before: string, pattern: string, after: string): Text {
  const star = before === 'spiffe://' ? '[^,]' : segment;
  const middle =
    pattern === '*'
      ? `${star}+`
      : pattern.endsWith('*')
        ? `${escaped(pattern.slice(0, -1))}${star}*`
        : pattern.startsWith('*')
          ? `${star}*${escaped(pattern.slice(1))}`
          : escaped(pattern);
  return { regex: `${escaped(before)}${middle}${escaped(after)}` };
}

function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_/-]/g, (c) => `\\${c}`);
}

const uriSan = 'UriSanInput';
const dnsSan = 'DnsSanInput';

function sanMatch(input: typeof uriSan | typeof dnsSan, { regex }: Text): Matcher_MatcherList_Predicate {
  const matchPattern = { $case: 'safeRegex' as const, value: { engineType: { $case: 'googleRe2' as const, value: {} }, regex } };
  return Matcher_MatcherList_Predicate.create({
    matchType: {
      $case: 'singlePredicate',
      value: {
        input: { name: input, typedConfig: emptyConfig(`envoy.extensions.matching.common_inputs.ssl.v3.${input}`) },
        matcher: { $case: 'valueMatch', value: { matchPattern, ignoreCase: false } },
      },
    },
  });
}

/** None for an empty field, which restricts nothing; Envoy wants two at least to choose from. */
function any(predicate: readonly Matcher_MatcherList_Predicate[]): readonly Matcher_MatcherList_Predicate[] {
  if (predicate.length < 2) return predicate;
  return [Matcher_MatcherList_Predicate.create({ matchType: { $case: 'orMatcher', value: { predicate: [...predicate] } } })];
}
