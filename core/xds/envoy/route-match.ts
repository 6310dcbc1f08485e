import type { HttpMatch, NamedMatch, PathMatch, StringMatch } from '../../traffic/index.ts';
import { HeaderMatcher, QueryParameterMatcher, RouteMatch } from '../gen/envoy/config/route/v3/route_components.ts';
import { type Alternatives, escapeRegex, headerMatchers, isAnything, regexOf, safeRegex, stringMatcher } from './string-match.ts';

/** The workload whose proxy routes. */
export interface TrafficSource {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a match says of its caller is known before any request is. */
export function isFrom(match: Pick<HttpMatch, 'sourceLabels' | 'sourceNamespace'>, source: TrafficSource): boolean {
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== source.namespace) return false;
  return Object.entries(match.sourceLabels).every(([key, value]) => source.labels[key] === value);
}

/** Any of them; none where no request can match. `more`: must hold as well. */
export function routeMatches(match: HttpMatch | undefined, more: readonly HeaderMatcher[] = []): readonly RouteMatch[] {
  const pathSpecifier = pathSpecifierOf(match?.path);
  if (pathSpecifier === undefined) return [];
  const caseSensitive = match?.ignoreCase === true && pathSpecifier.$case !== 'safeRegex' ? false : undefined;
  const queryParameters = (match?.query ?? []).filter((each) => each.not !== true).map(queryMatcher);
  return headersOf(match).map((headers) =>
    RouteMatch.create({ pathSpecifier, caseSensitive, headers: [...headers, ...more], queryParameters }),
  );
}

function pathSpecifierOf(path: PathMatch | undefined) {
  if (path === undefined) return { $case: 'prefix' as const, value: '/' };
  switch (path.type) {
    case 'exact':
      return { $case: 'path' as const, value: path.value };
    case 'prefix':
      return { $case: 'prefix' as const, value: path.value };
    case 'regex':
      return safeRegex(path.value);
    case 'segments':
      if (path.value === '/' || path.value === '') return { $case: 'prefix' as const, value: '/' };
      // Envoy takes no other form here; and what a path never holds, none matches.
      if (/[?#]/.test(path.value)) return undefined;
      return path.value.length < 2
        ? { ...safeRegex(`${escapeRegex(path.value)}(/.*)?`) }
        : { $case: 'pathSeparatedPrefix' as const, value: path.value };
  }
}

/** The product of what each header leaves open. */
function headersOf(match: HttpMatch | undefined): Alternatives<HeaderMatcher> {
  if (match === undefined) return [[]];
  const each: Alternatives<HeaderMatcher>[] = [
    ...match.headers.map(headerMatchers),
    ...match.query.filter((q) => q.not === true).map((q) => [[queryLacks(q)]]),
  ];
  if (match.method !== undefined) each.push(headerMatchers({ name: ':method', value: match.method }));
  if (match.scheme !== undefined) each.push(headerMatchers({ name: ':scheme', value: match.scheme }));
  if (match.authority !== undefined && !isAnything(match.authority)) each.push([[authority(match.authority)]]);
  return each.reduce<Alternatives<HeaderMatcher>>((all, more) => all.flatMap((a) => more.map((b) => [...a, ...b])), [[]]);
}

/** The header has a port where the request had one. */
function authority(match: StringMatch): HeaderMatcher {
  return pattern(':authority', `(?i:${regexOf(match)})(?::[0-9]+)?`);
}

function pattern(name: string, regex: string): HeaderMatcher {
  return HeaderMatcher.create({ name, headerMatchSpecifier: { $case: 'stringMatch', value: { matchPattern: safeRegex(regex) } } });
}

function queryMatcher({ name, value }: NamedMatch): QueryParameterMatcher {
  return QueryParameterMatcher.create({
    name,
    queryParameterMatchSpecifier:
      value === undefined || isAnything(value)
        ? { $case: 'presentMatch', value: true }
        : { $case: 'stringMatch', value: stringMatcher(value) },
  });
}

/** Envoy's own matcher of parameters cannot be inverted; :path has the whole query. */
function queryLacks({ name, value }: NamedMatch): HeaderMatcher {
  const wanted = value === undefined || isAnything(value) ? '(?:=[^&]*)?' : `=${regexOf(value).replaceAll('.*', '[^&]*')}`;
  return { ...pattern(':path', `[^?]*\\?(?:.*&)?${escapeRegex(name)}${wanted}(?:&.*)?`), invertMatch: true };
}
