import { z } from 'zod';
import type { HttpMatch, PathMatch, StringMatch } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, present } from '../across.ts';
import { noted, refused } from '../refused.ts';
import { headerMatches, queryMatches, stringMatch, toNamed, toStringMatch } from './string-match.ts';
import { labels, portNumber } from './values.ts';

const path = across(stringMatch, (value, report) => {
  for (const form of present(value, ['exact', 'prefix'])) {
    const text = value[form];
    if (typeof text !== 'string') continue;
    if (text.includes('?')) report([form], 'must not hold a query: match it by queryParams');
    else if (!text.startsWith('/')) report([form], `can never match: paths begin with a slash; did you mean /${text.slice(0, 60)}?`);
  }
});

/** Requests are compared by the host alone, so that a port would never match. */
const authority = across(stringMatch, (value, report) => {
  const { exact } = value;
  if (typeof exact === 'string' && /:[0-9]+$/.test(exact))
    report(['exact'], 'can never match: hosts are compared without port; match it by port');
});

/** Istio's HTTPMatchRequest. */
export const httpMatch = across(
  fields({
    name: z.string().optional(),
    uri: path.optional(),
    scheme: stringMatch.optional(),
    method: stringMatch.optional(),
    authority: noted(authority, 'compared in lower case and without port').optional(),
    headers: headerMatches,
    withoutHeaders: headerMatches,
    queryParams: queryMatches,
    port: portNumber.optional(),
    sourceLabels: labels.default({}),
    sourceNamespace: z.string().min(1).optional(),
    gateways: z.array(z.string().min(1)).default([]),
    ignoreUriCase: z.boolean().default(false),
    statPrefix: refused('metrics carry the name of the route; give it one by the field name of http[]'),
  }),
  (value, report) => {
    const { uri, ignoreUriCase } = value;
    if (ignoreUriCase === true && present(uri, ['regex']).length > 0) {
      report(['ignoreUriCase'], 'means nothing for a regex: begin the expression with (?i) instead');
    }
  },
);

type Written = z.output<typeof httpMatch>;

/** Where a match holds at all; decided when compiling. */
export interface MatchConditions {
  readonly ports: readonly number[];
  readonly gateways: readonly string[];
}

export function toHttpMatch(written: Written): HttpMatch {
  const { name, method, scheme, sourceNamespace } = written;
  const found = {
    path: written.uri === undefined ? undefined : (toStringMatch(written.uri) as PathMatch | undefined),
    method: method === undefined ? undefined : toStringMatch(method),
    scheme: scheme === undefined ? undefined : toStringMatch(scheme),
    authority: written.authority === undefined ? undefined : inLowerCase(toStringMatch(written.authority)),
  };
  return {
    ...(name === undefined ? {} : { name }),
    ...(found.path === undefined ? {} : { path: found.path }),
    ...(written.ignoreUriCase ? { ignoreCase: true } : {}),
    ...(found.method === undefined ? {} : { method: found.method }),
    ...(found.scheme === undefined ? {} : { scheme: found.scheme }),
    ...(found.authority === undefined ? {} : { authority: found.authority }),
    headers: [
      ...toNamed(written.headers, (text) => text.toLowerCase(), false),
      ...toNamed(written.withoutHeaders, (text) => text.toLowerCase(), true),
    ],
    query: toNamed(written.queryParams, (text) => text, false),
    sourceLabels: written.sourceLabels,
    ...(sourceNamespace === undefined ? {} : { sourceNamespace }),
  };
}

/** Hosts have no case (RFC 9110 §4.2.3); an expression says so itself. */
function inLowerCase(match: StringMatch | undefined): StringMatch | undefined {
  if (match === undefined) return undefined;
  return match.type === 'regex' ? { ...match, value: `(?i:${match.value})` } : { ...match, value: match.value.toLowerCase() };
}
