/**
 * What a request must look like. Everything here is what both Envoy (RouteMatch, config.route.v3) and our own proxies can
 * tell; regular expressions are RE2's, always over the whole value, on either.
 */

export type StringMatch =
  | { readonly type: 'exact'; readonly value: string }
  | { readonly type: 'prefix'; readonly value: string }
  | { readonly type: 'suffix'; readonly value: string }
  /** RE2 syntax, anchored at both ends. */
  | { readonly type: 'regex'; readonly value: string };

export type PathMatch =
  | { readonly type: 'exact'; readonly value: string }
  /** Plain text: `/a` matches `/ab` (Istio's prefix). */
  | { readonly type: 'prefix'; readonly value: string }
  /** By whole segments: `/a` matches `/a` and `/a/b`, not `/ab` (the Gateway API's PathPrefix). No slash at the end, save `/`. */
  | { readonly type: 'segments'; readonly value: string }
  /** RE2, over the path without its query. */
  | { readonly type: 'regex'; readonly value: string };

export interface NamedMatch {
  /** Of a header: lower case. Of a query parameter: as it is. */
  readonly name: string;
  /** Absent: it is there, with any value. */
  readonly value?: StringMatch;
  /** Matches when the rest does not; an absent header or parameter counts as one that does not. Default false. */
  readonly not?: boolean;
}

/** All that is said must hold; what is not said holds always. */
export interface HttpMatch {
  /** For people: Istio's HTTPMatchRequest.name. */
  readonly name?: string;
  /** Of the request as it came, without query. */
  readonly path?: PathMatch;
  /** Of `path`; never of a regex. Default false. */
  readonly ignoreCase?: boolean;
  readonly method?: StringMatch;
  readonly scheme?: StringMatch;
  /** Host or :authority, without its port, lower case. */
  readonly authority?: StringMatch;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
  /** Of the caller's workload; all must be equal. A gateway has the labels of its own. Empty: any. */
  readonly sourceLabels: Readonly<Record<string, string>>;
  /** Of the caller's workload; absent: any. */
  readonly sourceNamespace?: string;
}

export interface L4Match {
  /** CIDRs of the address that the caller dialled; empty: any. */
  readonly destinationSubnets: readonly string[];
  /** TLS alone, any of these: exact or `*.suffix`. Empty: any. */
  readonly sniHosts: readonly string[];
  readonly sourceLabels: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
}
