import type { NamedMatch, StringMatch } from '../../traffic/index.ts';
import { HeaderMatcher } from '../gen/envoy/config/route/v3/route_components.ts';
import { RegexMatcher } from '../gen/envoy/type/matcher/v3/regex.ts';
import { StringMatcher } from '../gen/envoy/type/matcher/v3/string.ts';

export function safeRegex(regex: string) {
  return { $case: 'safeRegex' as const, value: RegexMatcher.create({ regex }) };
}

export function stringMatcher({ type, value }: StringMatch, ignoreCase = false): StringMatcher {
  return StringMatcher.create({ matchPattern: type === 'regex' ? safeRegex(value) : { $case: type, value }, ignoreCase });
}

/** RE2 for the same, without anchors: Envoy's matchers are anchored themselves. */
export function regexOf({ type, value }: StringMatch): string {
  if (type === 'regex') return `(?:${value})`;
  const text = escapeRegex(value);
  return `${type === 'suffix' ? '.*' : ''}${text}${type === 'prefix' ? '.*' : ''}`;
}

export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

/** Every one of a list has to match; any one list is enough. */
export type Alternatives<T> = readonly (readonly T[])[];

/**
 * Envoy leaves an inverted match of an absent header undecided unless it may take it as an empty one; where empty would match, absent and
 * different are two matches.
 */
export function headerMatchers({ name, value, not = false }: NamedMatch): Alternatives<HeaderMatcher> {
  const present = (invertMatch: boolean) =>
    HeaderMatcher.create({ name, headerMatchSpecifier: { $case: 'presentMatch', value: true }, invertMatch });
  if (value === undefined || isAnything(value)) return [[present(not)]];
  const headerMatchSpecifier = { $case: 'stringMatch' as const, value: stringMatcher(value) };
  if (!not) return [[HeaderMatcher.create({ name, headerMatchSpecifier })]];
  const differs = HeaderMatcher.create({ name, headerMatchSpecifier, invertMatch: true });
  const mayBeEmpty = value.type === 'regex' || value.value === '';
  return mayBeEmpty ? [[present(true)], [differs]] : [[{ ...differs, treatMissingHeaderAsEmpty: true }]];
}

/** Envoy takes no empty prefix or suffix. */
export function isAnything({ type, value }: StringMatch): boolean {
  return (type === 'prefix' || type === 'suffix') && value === '';
}
