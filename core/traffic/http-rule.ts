import type { HttpMatch, StringMatch } from './match.ts';

/**
 * One rule of a virtual host. `D` says where it leads: a reference as its author wrote it (DestinationRef), or, once
 * compiled, the name of an xDS cluster (ClusterRef).
 */
export interface HttpRule<D> {
  /** Unique in its virtual host; for logs, telemetry and `explain`: `NAMESPACE/NAME` of the object, rule and match. */
  readonly name: string;
  /** Any of them; empty: every request. */
  readonly matches: readonly HttpMatch[];
  readonly action: HttpAction<D>;
  /** Before the action's own and the destination's. */
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
  readonly cors?: CorsPolicy;
  readonly fault?: Fault;
}

export type HttpAction<D> = RouteAction<D> | RedirectAction | DirectResponse;

export interface RouteAction<D> {
  readonly type: 'route';
  /** At least one; of one destination the weight means nothing. Weights of several are relative, with a sum over 0. */
  readonly destinations: readonly WeightedDestination<D>[];
  readonly rewrite?: Rewrite;
  /** From the whole request to the whole response, all tries in it; 0 or absent: none (Istio's default). ms */
  readonly timeoutMs?: number;
  /** Absent: the default, see `defaultRetries`. `attempts: 0`: none at all; the only try has its `perTryTimeoutMs`. */
  readonly retries?: RetryPolicy;
  readonly mirrors: readonly Mirror<D>[];
  /**
   * Of several destinations one is told by the request's hash and not by chance, where they are spread by one (the first that is counts)
   * and the request has what it is of: sessions keep to their destination, and what a rising weight takes it keeps. Default false.
   */
  readonly byHash?: true;
}

export interface WeightedDestination<D> {
  readonly destination: D;
  readonly weight: number;
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

/** As its author wrote it; `port` and `subset` may be left to the rules of the kind. */
export interface DestinationRef {
  /** A host (Istio's rules of short names), or `NAMESPACE/NAME` of a service where `service` is true. */
  readonly host: string;
  readonly service?: boolean;
  readonly port?: number;
  readonly subset?: string;
}

/** Compiled. */
export interface ClusterRef {
  /** `outbound|PORT|SUBSET|HOST`. Empty: it leads nowhere; its share is answered 500 (Gateway API) or 503 (Istio): see `missing`. */
  readonly cluster: string;
  readonly missing?: 500 | 503;
}

export interface Mirror<D> {
  readonly destination: D;
  /** 0-100. */
  readonly percent: number;
}

/** Values are what is sent, without commands of Envoy; in its configuration each % of them is written %%. */
export interface HeaderChanges {
  /** Replaces. Names in lower case; `host` or `:authority` sets the authority. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** Appends. */
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

export interface Rewrite {
  readonly authority?: string;
  readonly path?:
    | { readonly type: 'full'; readonly value: string }
    /** In place of what the rule's path matched: prefix or segments; of an exact match the whole. */
    | { readonly type: 'prefix'; readonly value: string }
    /** Every match in the path, RE2, with \1 in the substitution (Envoy's RegexMatchAndSubstitute). */
    | { readonly type: 'regex'; readonly pattern: string; readonly substitution: string };
}

export interface RedirectAction {
  readonly type: 'redirect';
  readonly scheme?: string;
  readonly authority?: string;
  /** Absent: kept where the scheme is kept, or the scheme's own; see Envoy's RedirectAction. */
  readonly port?: number;
  readonly path?: { readonly type: 'full' | 'prefix'; readonly value: string };
  readonly status: 301 | 302 | 303 | 307 | 308;
}

export interface DirectResponse {
  readonly type: 'direct';
  readonly status: number;
  /** At most 1 MiB; Envoy takes 4 KiB unless its route configuration says max_direct_response_body_size_bytes. */
  readonly body?: Uint8Array;
}

/** What an attempt may end in and be tried again elsewhere; Envoy's names (x-envoy-retry-on, x-envoy-retry-grpc-on). */
export type RetryCondition =
  | '5xx'
  | 'gateway-error'
  | 'reset'
  | 'reset-before-request'
  | 'connect-failure'
  | 'refused-stream'
  | 'retriable-4xx'
  | 'retriable-status-codes'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'
  | 'resource-exhausted'
  | 'unavailable';

export interface RetryPolicy {
  /** Tries after the first. */
  readonly attempts: number;
  readonly perTryTimeoutMs?: number;
  readonly on: readonly RetryCondition[];
  /** With `retriable-status-codes`. */
  readonly statusCodes: readonly number[];
  /** Exponential from here to ten times it, with full jitter. Default 25 ms, as Envoy and Istio. */
  readonly backoffMs?: number;
  /** A later try may go to lower priorities of the destination, and to another locality first. Default false. */
  readonly otherLocalities?: boolean;
  /** Do not try an endpoint that was tried. Default true. */
  readonly ignorePreviousHosts?: boolean;
}

/**
 * Where nobody says anything. What an application may have seen is only sent again where its method allows (RFC 9110 §9.2.2);
 * these conditions are those of Istio's default, and 503 answers of applications are not retried, as they have been seen.
 */
export const defaultRetries: RetryPolicy = {
  attempts: 2,
  on: ['connect-failure', 'refused-stream', 'reset-before-request'],
  statusCodes: [],
};

export interface CorsPolicy {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  /** Seconds. */
  readonly maxAgeS?: number;
  readonly allowCredentials?: boolean;
  /** Preflights of origins that do not match go on to the application. Default true (Istio's FORWARD). */
  readonly forwardNotMatching?: boolean;
}

export interface Fault {
  readonly delay?: { readonly percent: number; readonly ms: number };
  /** `status` is for callers that do not speak gRPC, where `grpcStatus` is there. */
  readonly abort?: { readonly percent: number; readonly status: number; readonly grpcStatus?: number };
}
