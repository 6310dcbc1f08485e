import type { PathMatch, RedirectAction, Rewrite } from '../../traffic/index.ts';
import type { RouteAction } from '../gen/envoy/config/route/v3/route_components.ts';
import { RegexMatchAndSubstitute, RegexMatcher } from '../gen/envoy/type/matcher/v3/regex.ts';
import { escapeRegex } from './string-match.ts';

type PathChange = NonNullable<Rewrite['path']>;

/** As Envoy takes them: text in place of what was matched, or a pattern over the whole path without its query. */
type EnvoyChange = { readonly prefix: string } | { readonly regex: RegexMatchAndSubstitute };

export function rewriteFields(path: PathChange | undefined, matched: PathMatch | undefined): Partial<RouteAction> {
  if (path === undefined) return {};
  const change = changeOf(path, matched);
  return 'prefix' in change ? { prefixRewrite: change.prefix } : { regexRewrite: change.regex };
}

/** Of a redirect. */
export function redirectPath(path: NonNullable<RedirectAction['path']>, matched: PathMatch | undefined) {
  if (path.type === 'full') return { $case: 'pathRedirect' as const, value: path.value };
  const change = changeOf({ type: 'prefix', value: path.value }, matched);
  return 'prefix' in change
    ? { $case: 'prefixRewrite' as const, value: change.prefix }
    : { $case: 'regexRewrite' as const, value: change.regex };
}

function changeOf(path: PathChange, matched: PathMatch | undefined): EnvoyChange {
  switch (path.type) {
    case 'regex':
      return regex(path.pattern, path.substitution);
    case 'full':
      return regex('^.*$', path.value.replaceAll('\\', '\\\\'));
    case 'prefix':
      return matched?.type === 'segments' ? segments(matched.value, path.value) : plain(path.value);
  }
}

/** Envoy takes no empty prefix for a change. */
function plain(value: string): EnvoyChange {
  return { prefix: value === '' ? '/' : value };
}

/** Whole segments for whole segments, with one slash between them and the rest. */
function segments(from: string, to: string): EnvoyChange {
  const target = to.replace(/\/+$/, '');
  if (from === '/' || from === '') return target === '' ? { prefix: '/' } : regex('^/', `${target.replaceAll('\\', '\\\\')}/`);
  return target === '' ? regex(`^(?i:${escapeRegex(from)})/?`, '/') : { prefix: target };
}

function regex(pattern: string, substitution: string): EnvoyChange {
  return { regex: RegexMatchAndSubstitute.create({ pattern: RegexMatcher.create({ regex: pattern }), substitution }) };
}
