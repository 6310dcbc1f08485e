import { StringValue } from '../gen/google/protobuf/wrappers.ts';
import { Matcher, Matcher_MatcherList_FieldMatcher, type Matcher_OnMatch } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig, packed } from './any.ts';
import { escapeRegex } from './string-match.ts';

export const serverName = {
  name: 'server_name',
  typedConfig: emptyConfig('envoy.extensions.matching.common_inputs.network.v3.ServerNameInput'),
};

/** The action is the name of a filter chain. */
export function take(chain: string): Matcher_OnMatch {
  const typedConfig = packed('google.protobuf.StringValue', StringValue, { value: chain });
  return { onMatch: { $case: 'action', value: { name: chain, typedConfig } } };
}

/** Chains by the server names that ask for them, whatever subset is in these. What matches nothing has no chain and is closed. */
export function anySubset(chains: readonly { readonly name: string; readonly serverNames: readonly string[] }[]): Matcher {
  const matchers = chains.map(({ name, serverNames }) => {
    const regex = serverNames.map((each) => escapeRegex(each).replace('_\\._\\.', '_\\.[^.]*_\\.')).join('|');
    const matchPattern = { $case: 'safeRegex' as const, value: { engineType: { $case: 'googleRe2' as const, value: {} }, regex } };
    const matcher = { $case: 'valueMatch' as const, value: { matchPattern, ignoreCase: false } };
    const predicate = { matchType: { $case: 'singlePredicate' as const, value: { input: serverName, matcher } } };
    return Matcher_MatcherList_FieldMatcher.create({ predicate, onMatch: take(name) });
  });
  return Matcher.create({ matcherType: { $case: 'matcherList', value: { matchers } } });
}
