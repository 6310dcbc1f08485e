import type { AuthzMatch, AuthzRule } from '../../authz/index.ts';

/**
 * A rule as a question about a certificate. `regex` is RE2 and has to match the whole of all SANs of one kind, joined by
 * commas; no rule's pattern matches a comma, so one that is matched is the only one of its kind.
 */
export type SanCondition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly SanCondition[] }
  | { readonly kind: 'not'; readonly of: SanCondition }
  | SanMatch;

export interface SanMatch {
  readonly kind: 'uri' | 'dns';
  readonly regex: string;
}

/** Any one character of a name. */
const segment = '[^,/]';

/** Of `core/authz`, on the pair of URI SAN and DNS SAN: both are there, once, and of this mesh, whatever the rule says. */
export function ruleCondition(rule: AuthzRule, trustDomain: string): SanCondition {
  return {
    kind: 'all',
    of: [
      { kind: 'uri', regex: `${escaped(`spiffe://${trustDomain}/ns/`)}${segment}+/sa/${segment}+` },
      { kind: 'dns', regex: `${segment}+${escaped(`.cluster.${trustDomain}`)}` },
      ...conditions(rule, trustDomain),
      ...(rule.also ?? []).flatMap((match) => [...conditions(match, trustDomain), ...exclusions(match, trustDomain)]),
    ],
  };
}

function conditions(match: Pick<AuthzMatch, 'principals' | 'namespaces' | 'clusters'>, trustDomain: string): SanCondition[] {
  return [
    ...any(match.principals.map(principal)),
    ...any(match.namespaces.map((pattern) => namespace(pattern, trustDomain))),
    ...any(match.clusters.map((pattern) => ({ kind: 'dns', regex: around('', pattern, `.cluster.${trustDomain}`, segment) }))),
  ];
}

function exclusions({ notPrincipals, notNamespaces }: AuthzMatch, trustDomain: string): SanCondition[] {
  const excluded = [...notPrincipals.map(principal), ...notNamespaces.map((pattern) => namespace(pattern, trustDomain))];
  return excluded.map((of) => ({ kind: 'not', of }));
}

function principal(pattern: string): SanMatch {
  return { kind: 'uri', regex: around('spiffe://', pattern, '', '[^,]') };
}

function namespace(pattern: string, trustDomain: string): SanMatch {
  return { kind: 'uri', regex: `${around(`spiffe://${trustDomain}/ns/`, pattern, '/sa/', segment)}${segment}+` };
}

/** None for an empty field, which restricts nothing. */
function any(of: readonly SanMatch[]): readonly SanCondition[] {
  return of.length < 2 ? of : [{ kind: 'any', of }];
}

/** `pattern` as AuthzMatch has it, between two texts; `star`: one character of what `*` stands for. */
function around(before: string, pattern: string, after: string, star: string): string {
  return `${escaped(before)}${middleOf(pattern, star)}${escaped(after)}`;
}

function middleOf(pattern: string, star: string): string {
  if (pattern === '*') return `${star}+`;
  if (pattern.endsWith('*')) return `${escaped(pattern.slice(0, -1))}${star}*`;
  if (pattern.startsWith('*')) return `${star}*${escaped(pattern.slice(1))}`;
  return escaped(pattern);
}

/** Punctuation by its code: the result also stands in quotes, and in formats where `%` and brackets mean something. */
function escaped(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9_/:.-]/g, (c) => (c <= '\x7f' ? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}` : c))
    .replaceAll('.', '\\.');
}
