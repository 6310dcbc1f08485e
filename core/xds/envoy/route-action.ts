import type { ClusterRef, HashKey, HeaderChanges, PathMatch, Rewrite, RouteAction, WeightedDestination } from '../../traffic/index.ts';
import {
  RouteAction as EnvoyRoute,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  type RetryPolicy,
  type Route,
  RouteAction_HashPolicy,
  RouteAction_RequestMirrorPolicy,
  WeightedCluster_ClusterWeight,
} from '../gen/envoy/config/route/v3/route_components.ts';
import { duration } from './any.ts';
import { authorityOf, changesHeaders, headerFields } from './header-changes.ts';
import { rewriteFields } from './rewrite-path.ts';
import { directResponse } from './route-answers.ts';
import { runtimeFraction } from './route-filters.ts';

/** Never the name of an xDS cluster: what leads there is answered at once. */
const nowhere = 'no-destination';

export interface ForwardOptions {
  /** Of the match that it is for. */
  readonly path: PathMatch | undefined;
  /** Of the rule: come before the destination's. */
  readonly requestHeaders: HeaderChanges | undefined;
  readonly retryPolicy: RetryPolicy | undefined;
  /** What the destination's requests are spread by, where they are. */
  hashOn(cluster: string): HashKey | undefined;
}

export function forward(action: RouteAction<ClusterRef>, options: ForwardOptions): Route['action'] {
  const used = action.destinations.length === 1 ? action.destinations : action.destinations.filter((d) => d.weight > 0);
  const missing = used.flatMap(({ destination }) => (destination.cluster === '' ? [destination.missing ?? 503] : []));
  if (missing.length === used.length) return directResponse(missing[0] ?? 503, undefined);
  const value = EnvoyRoute.create({
    clusterSpecifier: specifier(used),
    clusterNotFoundResponseCode: missing.includes(500) ? NotFound.INTERNAL_SERVER_ERROR : NotFound.SERVICE_UNAVAILABLE,
    ...rewriteFields(action.rewrite?.path, options.path),
    ...hostRewrite(action.rewrite, options.requestHeaders),
    timeout: duration(action.timeoutMs ?? 0),
    retryPolicy: options.retryPolicy,
    requestMirrorPolicies: mirrors(action),
    hashPolicy: hashPolicies(used.flatMap(({ destination }) => options.hashOn(destination.cluster) ?? [])),
  });
  return { $case: 'route', value };
}

function specifier(destinations: readonly WeightedDestination<ClusterRef>[]): EnvoyRoute['clusterSpecifier'] {
  const [only, second] = destinations;
  const changes = changesHeaders(only?.requestHeaders) || changesHeaders(only?.responseHeaders);
  if (only !== undefined && second === undefined && !changes) return { $case: 'cluster', value: only.destination.cluster };
  const clusters = destinations.map(({ destination, weight, requestHeaders, responseHeaders }) => {
    const authority = authorityOf(requestHeaders);
    return WeightedCluster_ClusterWeight.create({
      name: destination.cluster || nowhere,
      weight: second === undefined ? 1 : weight,
      ...headerFields(requestHeaders, responseHeaders),
      hostRewriteSpecifier: authority === undefined ? undefined : { $case: 'hostRewriteLiteral', value: authority },
    });
  });
  return { $case: 'weightedClusters', value: { clusters, totalWeight: undefined, runtimeKeyPrefix: '', randomValueSpecifier: undefined } };
}

function hostRewrite(rewrite: Rewrite | undefined, requestHeaders: HeaderChanges | undefined): Pick<EnvoyRoute, 'hostRewriteSpecifier'> {
  const value = rewrite?.authority ?? authorityOf(requestHeaders);
  return { hostRewriteSpecifier: value === undefined ? undefined : { $case: 'hostRewriteLiteral', value } };
}

function mirrors({ mirrors: all }: RouteAction<ClusterRef>): RouteAction_RequestMirrorPolicy[] {
  return all
    .filter(({ destination, percent }) => destination.cluster !== '' && percent > 0)
    .map(({ destination, percent }) =>
      RouteAction_RequestMirrorPolicy.create({ cluster: destination.cluster, runtimeFraction: runtimeFraction(percent) }),
    );
}

/** Several destinations may each have one; a request that lacks what one looks at is spread by the others. */
function hashPolicies(keys: readonly HashKey[]): RouteAction_HashPolicy[] {
  const distinct = new Map(keys.map((key) => [JSON.stringify(key), key]));
  return [...distinct.values()].map((key) => RouteAction_HashPolicy.create({ policySpecifier: hashSpecifier(key) }));
}

function hashSpecifier(key: HashKey): RouteAction_HashPolicy['policySpecifier'] {
  switch (key.type) {
    case 'header':
      return { $case: 'header', value: { headerName: key.name, regexRewrite: undefined } };
    case 'query':
      return { $case: 'queryParameter', value: { name: key.name } };
    case 'source-address':
      return { $case: 'connectionProperties', value: { sourceIp: true } };
    case 'cookie': {
      const { name, path, ttlMs } = key;
      return { $case: 'cookie', value: { name, path, ttl: ttlMs === undefined ? undefined : duration(ttlMs), attributes: [] } };
    }
  }
}
