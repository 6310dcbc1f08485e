import type { AuthzTest } from '../../authz/index.ts';

/**
 * A rule as a question about a connection and its request. `regex` is RE2 and has to match the whole of all SANs of one kind, joined by
 * commas; no rule's pattern matches a comma, so one that is matched is the only one of its kind. A `test` is of anything else.
 */
export type EnvoyCondition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly EnvoyCondition[] }
  | { readonly kind: 'not'; readonly of: EnvoyCondition }
  | { readonly kind: 'always' | 'never' }
  | { readonly kind: 'test'; readonly test: AuthzTest }
  | SanMatch;

export interface SanMatch {
  readonly kind: 'uri' | 'dns';
  readonly regex: string;
}
