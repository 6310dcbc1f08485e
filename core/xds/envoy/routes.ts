import type { ClusterRef, HashKey, HttpMatch, HttpRule, PathMatch, Routing } from '../../traffic/index.ts';
import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.ts';
import {
  type HeaderMatcher,
  type RetryPolicy,
  Route,
  VirtualHost_TlsRequirementType as TlsRequirement,
  VirtualHost,
} from '../gen/envoy/config/route/v3/route_components.ts';
import { forward, routeHeaders } from './route-action.ts';
import { directResponse, redirect } from './route-answers.ts';
import { filterSettings } from './route-filters.ts';
import { isFrom, routeMatches, type TrafficSource } from './route-match.ts';
import { defaultRetry, idempotent, localOriginHeader, retryPolicy } from './route-retries.ts';

export interface HttpHost {
  readonly name: string;
  /** Lower case; distinct over all hosts of one configuration. */
  readonly domains: readonly string[];
  readonly rules: readonly HttpRule<ClusterRef>[];
  /** Other endpoints may be tried: not where the one application beside the proxy is meant. */
  readonly retries: boolean;
  /** What comes in the clear is sent to https. Default false. */
  readonly httpsOnly?: boolean;
}

export interface RouteContext {
  readonly source: TrafficSource;
  /** What requests to an xDS cluster are spread by; undefined where they are not. */
  hashOn(cluster: string): HashKey | undefined;
}

export const noContext: RouteContext = { source: { namespace: '', labels: {} }, hashOn: () => undefined };

/** All that comes leads to one xDS cluster, by no rule of anybody's: it has no name. */
export function plainRules(cluster: string): readonly HttpRule<ClusterRef>[] {
  return [{ name: '', matches: [], action: { type: 'route', destinations: [{ destination: { cluster }, weight: 1 }], mirrors: [] } }];
}

export function routingHosts({ virtualHosts }: Routing): readonly HttpHost[] {
  return virtualHosts.map(({ name, domains, rules }) => ({ name, domains, rules, retries: true }));
}

/** By Host alone, with and without a port, then by rule; what matches nothing is answered 404. */
export function routeConfiguration(name: string, hosts: readonly HttpHost[], context = noContext): RouteConfiguration {
  return RouteConfiguration.create({
    name,
    ignorePortInHostMatching: true,
    // A listener that comes before its cluster, or outlives it, answers 503 instead of being refused.
    validateClusters: false,
    mostSpecificHeaderMutationsWins: true,
    maxDirectResponseBodySizeBytes: largestBody(hosts),
    requestHeadersToRemove: [localOriginHeader],
    responseHeadersToRemove: [localOriginHeader],
    virtualHosts: hosts.map(({ name: host, domains, rules, retries, httpsOnly = false }) =>
      VirtualHost.create({
        name: host,
        domains: [...domains],
        requireTls: httpsOnly ? TlsRequirement.ALL : TlsRequirement.NONE,
        routes: rules.flatMap((rule) => routesOf(rule, retries, context)),
      }),
    ),
  });
}

/** Undefined: less than Envoy takes unasked. */
function largestBody(hosts: readonly HttpHost[]): number | undefined {
  const sizes = hosts.flatMap(({ rules }) => rules.map(({ action }) => (action.type === 'direct' ? (action.body?.length ?? 0) : 0)));
  const most = Math.max(0, ...sizes);
  return most > 4_096 ? most : undefined;
}

function routesOf(rule: HttpRule<ClusterRef>, retries: boolean, context: RouteContext): Route[] {
  const matches = rule.matches.length === 0 ? [undefined] : rule.matches.filter((match) => isFrom(match, context.source));
  return matches.flatMap((match) => variants(rule, retries).flatMap((variant) => routes(rule, match, variant, context)));
}

interface Variant {
  readonly headers: readonly HeaderMatcher[];
  readonly retry: RetryPolicy | undefined;
}

/** Where nobody says how often to try, the method decides what may be tried again. */
function variants({ action }: HttpRule<ClusterRef>, retries: boolean): readonly Variant[] {
  if (action.type !== 'route' || !retries) return [{ headers: [], retry: undefined }];
  if (action.retries !== undefined) return [{ headers: [], retry: retryPolicy(action.retries) }];
  return [
    { headers: [idempotent], retry: defaultRetry(true) },
    { headers: [], retry: defaultRetry(false) },
  ];
}

function routes(rule: HttpRule<ClusterRef>, match: HttpMatch | undefined, variant: Variant, context: RouteContext): Route[] {
  const { name, cors, fault } = rule;
  return routeMatches(match, variant.headers).map((routeMatch) =>
    Route.create({
      name,
      match: routeMatch,
      action: actionOf(rule, match?.path, variant, context),
      ...routeHeaders(rule),
      typedPerFilterConfig: filterSettings(cors, fault),
    }),
  );
}

function actionOf(rule: HttpRule<ClusterRef>, path: PathMatch | undefined, { retry }: Variant, { hashOn }: RouteContext): Route['action'] {
  const { action } = rule;
  switch (action.type) {
    case 'route':
      return forward(action, { path, headers: rule, retryPolicy: retry, hashOn });
    case 'redirect':
      return redirect(action, path);
    case 'direct':
      return directResponse(action.status, action.body);
  }
}
