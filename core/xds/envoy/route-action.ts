import type { ClusterRef, HashKey, HttpRule, PathMatch, Rewrite, RouteAction, WeightedDestination } from '../../traffic/index.ts';
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
import { authorityOf, changesHeaders, headerFields, mergeChanges } from './header-changes.ts';
import { rewriteFields } from './rewrite-path.ts';
import { directResponse } from './route-answers.ts';
import { runtimeFraction } from './route-filters.ts';

/** Never the name of an xDS cluster: what leads there is answered at once. */
const nowhere = 'no-destination';

/** Of a rule. */
export type RuleHeaders = Pick<HttpRule<ClusterRef>, 'requestHeaders' | 'responseHeaders'>;

export interface ForwardOptions {
  /** Of the match that it is for. */
  readonly path: PathMatch | undefined;
  readonly headers: RuleHeaders;
  readonly retryPolicy: RetryPolicy | undefined;
  /** What the destination's requests are spread by, where they are. */
  hashOn(cluster: string): HashKey | undefined;
}

export function forward(action: RouteAction<ClusterRef>, options: ForwardOptions): Route['action'] {
  const used = usedBy(action);
  const missing = used.flatMap(({ destination }) => (destination.cluster === '' ? [destination.missing ?? 503] : []));
  if (missing.length === used.length) return directResponse(missing[0] ?? 503, undefined);
  const keys = used.flatMap(({ destination }) => options.hashOn(destination.cluster) ?? []);
  const value = EnvoyRoute.create({
    clusterSpecifier: specifier(used, options.headers, action.byHash === true && keys.length > 0),
    clusterNotFoundResponseCode: missing.includes(500) ? NotFound.INTERNAL_SERVER_ERROR : NotFound.SERVICE_UNAVAILABLE,
    ...rewriteFields(action.rewrite?.path, options.path),
    ...hostRewrite(action.rewrite, used, options.headers),
    timeout: duration(action.timeoutMs ?? 0),
    retryPolicy: options.retryPolicy,
    requestMirrorPolicies: mirrors(action),
    hashPolicy: hashPolicies(keys),
  });
  return { $case: 'route', value };
}

/**
 * The fields of a route. Envoy changes headers for one of several destinations before it does for their route: where these have changes
 * of their own, all are made there.
 */
export function routeHeaders(rule: HttpRule<ClusterRef>) {
  const { action, requestHeaders, responseHeaders } = rule;
  const used = action.type === 'route' ? usedBy(action) : [];
  const [only, second] = used;
  if (only !== undefined && second === undefined) return headersTo(only, rule);
  return used.some(hasChanges) ? {} : headerFields(requestHeaders, responseHeaders);
}

function usedBy({ destinations }: RouteAction<ClusterRef>): readonly WeightedDestination<ClusterRef>[] {
  return destinations.length === 1 ? destinations : destinations.filter((d) => d.weight > 0);
}

function hasChanges({ requestHeaders, responseHeaders }: WeightedDestination<ClusterRef>): boolean {
  return changesHeaders(requestHeaders) || changesHeaders(responseHeaders);
}

function headersTo(destination: WeightedDestination<ClusterRef>, rule: RuleHeaders) {
  return headerFields(
    mergeChanges(rule.requestHeaders, destination.requestHeaders),
    mergeChanges(rule.responseHeaders, destination.responseHeaders),
  );
}

function specifier(
  destinations: readonly WeightedDestination<ClusterRef>[],
  rule: RuleHeaders,
  byHash: boolean,
): EnvoyRoute['clusterSpecifier'] {
  const [only, second] = destinations;
  if (only !== undefined && second === undefined) return { $case: 'cluster', value: only.destination.cluster };
  const own = destinations.some(hasChanges);
  const clusters = destinations.map((each) => {
    const authority = authorityOf(each.requestHeaders);
    return WeightedCluster_ClusterWeight.create({
      name: each.destination.cluster || nowhere,
      weight: each.weight,
      ...(own ? headersTo(each, rule) : {}),
      hostRewriteSpecifier: authority === undefined ? undefined : { $case: 'hostRewriteLiteral', value: authority },
    });
  });
  // A session that begins with this request has no hash yet, and is led by chance this once.
  const randomValueSpecifier = byHash ? { $case: 'useHashPolicy' as const, value: true } : undefined;
  return { $case: 'weightedClusters', value: { clusters, totalWeight: undefined, runtimeKeyPrefix: '', randomValueSpecifier } };
}

/** The rule's before the rewrite, and that before a destination's. */
function hostRewrite(
  rewrite: Rewrite | undefined,
  [only, second]: readonly WeightedDestination<ClusterRef>[],
  rule: RuleHeaders,
): Pick<EnvoyRoute, 'hostRewriteSpecifier'> {
  const last = second === undefined ? authorityOf(only?.requestHeaders) : undefined;
  const value = last ?? rewrite?.authority ?? authorityOf(rule.requestHeaders);
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
