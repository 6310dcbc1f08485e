export type {
  ClusterTraffic,
  ConnectionLimits,
  HashKey,
  HealthCheck,
  LoadBalancer,
  OutlierDetection,
  OutsideTls,
  Warmup,
} from './destination.ts';
export { systemCaFile } from './destination.ts';
export { nameCovers, namesWithin } from './domains.ts';
export type {
  ClusterRef,
  CorsPolicy,
  DestinationRef,
  DirectResponse,
  Fault,
  HeaderChanges,
  HttpAction,
  HttpRule,
  Mirror,
  RedirectAction,
  RetryCondition,
  RetryPolicy,
  Rewrite,
  RouteAction,
  WeightedDestination,
} from './http-rule.ts';
export { defaultRetries } from './http-rule.ts';
export type { HttpMatch, L4Match, NamedMatch, PathMatch, StringMatch } from './match.ts';
export type { IngressListener, IngressServer, L4Rule, Routing, VirtualHost } from './routing.ts';
