import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type AuthzTest, escapeRegex, isPathTemplate, pathTemplateRegex, requestPrincipalPattern } from '../../authz/index.ts';
import { Ip } from '../gen/envoy/extensions/matching/input_matchers/ip/v3/ip.ts';
import { StringMatcher } from '../gen/envoy/type/matcher/v3/string.ts';
import { ValueMatcher } from '../gen/envoy/type/matcher/v3/value.ts';
import type { TypedExtensionConfig } from '../gen/xds/core/v3/extension.ts';
import { Matcher_MatcherList_Predicate } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig, packed } from './any.ts';
import { cidrRange } from './endpoints.ts';
import { safeRegex } from './string-match.ts';

type Predicate = Matcher_MatcherList_Predicate;
type Single = Extract<NonNullable<Predicate['matchType']>, { $case: 'singlePredicate' }>['value'];

/** Bytes that are no UTF-8 too, which `.` does not match. */
const anything = '\\C*';
const query = `(?:\\?${anything})?`;

/** What Envoy's matcher asks for one attribute that is no SAN. `http`: its inputs differ from those of a byte stream. */
export function testPredicate({ attribute, names, patterns }: AuthzTest, http: boolean): Predicate {
  switch (attribute) {
    case 'source-ip':
      return inBlocks(networkInput(http ? 'DirectSourceIPInput' : 'SourceIPInput'), patterns);
    case 'destination-ip':
      return inBlocks(networkInput('DestinationIPInput'), patterns);
    case 'sni':
      return anyOf(patterns.map((pattern) => text(networkInput('ServerNameInput'), pattern, false, '\\C+')));
    case 'method':
      return anyOf(patterns.map((pattern) => text(headerInput(':method'), pattern)));
    case 'host':
      return anyOf(patterns.map((pattern) => text(headerInput(':authority'), pattern, true)));
    case 'header':
      return anyOf(patterns.map((pattern) => text(headerInput(names[0] ?? ''), pattern)));
    case 'path':
      return anyOf(patterns.map(pathLike));
    case 'request-principal':
      return anyOf(patterns.map(principalLike));
    case 'claim':
      return anyOf(patterns.flatMap((pattern) => [claim(names, one(pattern)), claim(names, listed(pattern))]));
    default:
      throw new Error(`${attribute} is asked of certificates, or known beforehand`);
  }
}

export function single(input: TypedExtensionConfig, matcher: NonNullable<Single['matcher']>): Predicate {
  return Matcher_MatcherList_Predicate.create({ matchType: { $case: 'singlePredicate', value: { input, matcher } } });
}

export function regexMatch(regex: string): NonNullable<Single['matcher']> {
  const matchPattern = { $case: 'safeRegex' as const, value: { engineType: { $case: 'googleRe2' as const, value: {} }, regex } };
  return { $case: 'valueMatch', value: { matchPattern, ignoreCase: false } };
}

function anyOf(predicate: readonly Predicate[]): Predicate {
  const [only, second] = predicate;
  if (only !== undefined && second === undefined) return only;
  return { matchType: { $case: 'orMatcher', value: { predicate: [...predicate] } } };
}

/** `present`: what `*` is like. */
function text(input: TypedExtensionConfig, pattern: string, ignoreCase = false, present = anything): Predicate {
  if (pattern === '*') return single(input, regexMatch(present));
  const value = { matchPattern: plainPattern(pattern), ignoreCase };
  return single(input, { $case: 'valueMatch', value });
}

function plainPattern(pattern: string) {
  if (pattern.endsWith('*')) return { $case: 'prefix' as const, value: pattern.slice(0, -1) };
  if (pattern.startsWith('*')) return { $case: 'suffix' as const, value: pattern.slice(1) };
  return { $case: 'exact' as const, value: pattern };
}

/** The header has the query too. */
function pathLike(pattern: string): Predicate {
  const input = headerInput(':path');
  if (isPathTemplate(pattern)) return single(input, regexMatch(`(?:${pathTemplateRegex(pattern)})${query}`));
  if (pattern.endsWith('*')) return text(input, pattern);
  if (pattern.startsWith('*')) return single(input, regexMatch(`[^?]*${escapeRegex(pattern.slice(1))}${query}`));
  return single(input, regexMatch(`${escapeRegex(pattern)}${query}`));
}

function principalLike(pattern: string): Predicate {
  const { issuer, subject } = requestPrincipalPattern(pattern);
  const predicate = [claim(['iss'], one(issuer)), claim(['sub'], one(subject))];
  return { matchType: { $case: 'andMatcher', value: { predicate } } };
}

export const tokenFilterName = 'envoy.filters.http.jwt_authn';
export const tokenPayloadKey = 'payload';

/** DynamicMetadataInput of what the filter of tokens found, and the matcher of metadata. */
function claim(way: readonly string[], value: ValueMatcher): Predicate {
  const writer = new BinaryWriter().uint32((1 << 3) | 2).string(tokenFilterName);
  for (const key of [tokenPayloadKey, ...way]) {
    writer
      .uint32((2 << 3) | 2)
      .fork()
      .uint32((1 << 3) | 2)
      .string(key)
      .join();
  }
  const input = networkInput('DynamicMetadataInput', Buffer.from(writer.finish()));
  const matcher = new BinaryWriter().uint32((1 << 3) | 2).bytes(ValueMatcher.encode(value).finish());
  const typeUrl = 'type.googleapis.com/envoy.extensions.matching.input_matchers.metadata.v3.Metadata';
  return single(input, {
    $case: 'customMatch',
    value: { name: 'envoy.matching.matchers.metadata_matcher', typedConfig: { typeUrl, value: Buffer.from(matcher.finish()) } },
  });
}

function one(pattern: string): ValueMatcher {
  const matchPattern =
    pattern === '*' ? safeRegex('\\C+') : pattern === '' ? { $case: 'exact' as const, value: '' } : plainPattern(pattern);
  return ValueMatcher.create({ matchPattern: { $case: 'stringMatch', value: StringMatcher.create({ matchPattern }) } });
}

function listed(pattern: string): ValueMatcher {
  return ValueMatcher.create({
    matchPattern: { $case: 'listMatch', value: { matchPattern: { $case: 'oneOf', value: one(pattern) } } },
  });
}

function inBlocks(input: TypedExtensionConfig, cidrs: readonly string[]): Predicate {
  const config = Ip.create({ cidrRanges: cidrs.flatMap((cidr) => cidrRange(cidr) ?? []), statPrefix: 'authz' });
  return single(input, {
    $case: 'customMatch',
    value: { name: 'envoy.matching.matchers.ip', typedConfig: packed('envoy.extensions.matching.input_matchers.ip.v3.Ip', Ip, config) },
  });
}

function networkInput(name: string, value?: Buffer): TypedExtensionConfig {
  const config = emptyConfig(`envoy.extensions.matching.common_inputs.network.v3.${name}`);
  return { name, typedConfig: value === undefined ? config : { ...config, value } };
}

function headerInput(header: string): TypedExtensionConfig {
  const value = new BinaryWriter()
    .uint32((1 << 3) | 2)
    .string(header)
    .finish();
  const typeUrl = 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput';
  return { name: 'request-header', typedConfig: { typeUrl, value: Buffer.from(value) } };
}
