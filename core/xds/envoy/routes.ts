import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.ts';
import { HeaderMatcher, RetryPolicy, Route, RouteAction, VirtualHost } from '../gen/envoy/config/route/v3/route_components.ts';
import { duration, emptyConfig } from './any.ts';
import { proxyLimits } from './limits.ts';

/** Says that an application was not reached, from one mesh end to the other: see gateway/forward. */
export const localOriginHeader = 'x-isthmus-local-origin';

export interface HttpHost {
  readonly name: string;
  /** Lower case; distinct over all hosts of one configuration. */
  readonly domains: readonly string[];
  readonly cluster: string;
  /** Other endpoints may be tried: not where the one application beside the proxy is meant. */
  readonly retries: boolean;
}

/** By Host alone, with and without a port; an unknown one is answered 404. */
export function routeConfiguration(name: string, hosts: readonly HttpHost[]): RouteConfiguration {
  return RouteConfiguration.create({
    name,
    ignorePortInHostMatching: true,
    // A listener that comes before its cluster, or outlives it, answers 503 instead of being refused.
    validateClusters: false,
    requestHeadersToRemove: [localOriginHeader],
    responseHeadersToRemove: [localOriginHeader],
    virtualHosts: hosts.map((host) => VirtualHost.create({ name: host.name, domains: [...host.domains], routes: routesTo(host) })),
  });
}

function routesTo({ cluster, retries }: HttpHost): Route[] {
  if (!retries) return [route('any', cluster, undefined, [])];
  return [route('idempotent', cluster, retry(true), [idempotent]), route('any', cluster, retry(false), [])];
}

function route(name: string, cluster: string, retryPolicy: RetryPolicy | undefined, headers: HeaderMatcher[]): Route {
  const action = RouteAction.create({ clusterSpecifier: { $case: 'cluster', value: cluster }, timeout: duration(0), retryPolicy });
  return Route.create({
    name,
    match: { pathSpecifier: { $case: 'prefix', value: '/' }, headers },
    action: { $case: 'route', value: action },
  });
}

/** RFC 9110 §9.2.2: what was sent may be sent again. */
const idempotent = HeaderMatcher.create({
  name: ':method',
  headerMatchSpecifier: {
    $case: 'stringMatch',
    value: { matchPattern: { $case: 'safeRegex', value: { regex: 'GET|HEAD|OPTIONS|TRACE|PUT|DELETE' } } },
  },
});

const fromMeshEnd = HeaderMatcher.create({ name: localOriginHeader, headerMatchSpecifier: { $case: 'presentMatch', value: true } });
const unseen = HeaderMatcher.create({
  name: localOriginHeader,
  headerMatchSpecifier: {
    $case: 'stringMatch',
    value: { matchPattern: { $case: 'safeRegex', value: { regex: '(UF|UH|NC)(,.*)?' } } },
  },
});

/** What no application has seen goes to another endpoint, whatever its method; `again`: what one may have seen, too. */
function retry(again: boolean): RetryPolicy {
  const on = ['connect-failure', 'refused-stream', 'reset-before-request', 'retriable-headers', ...(again ? ['reset'] : [])];
  return RetryPolicy.create({
    retryOn: on.join(),
    numRetries: proxyLimits.maxAttempts - 1,
    retriableHeaders: [again ? fromMeshEnd : unseen],
    retryBackOff: { baseInterval: duration(1), maxInterval: duration(10) },
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: { $case: 'typedConfig', value: emptyConfig('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate') },
      },
    ],
    hostSelectionRetryMaxAttempts: 5,
  });
}
