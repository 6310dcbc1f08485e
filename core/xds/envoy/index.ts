/** Envoy's own configuration from plain data, and the names that all parts which speak to Envoy agree on. Pure. */

export { Cluster } from '../gen/envoy/config/cluster/v3/cluster.ts';
export { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.ts';
export { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
export { RouteConfiguration } from '../gen/envoy/config/route/v3/route.ts';
export { Secret } from '../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
export { buildEnvoyBootstrap } from './bootstrap.ts';
export type { EnvoyAdminAddress, EnvoyBootstrapInput } from './bootstrap-input.ts';
export { captured, captureListener } from './capture-listener.ts';
export { appCluster, edsCluster, isHttp, localEdsCluster } from './clusters.ts';
export { loadAssignment, tlsGroups } from './endpoints.ts';
export { exposedListener } from './exposed-listener.ts';
export { type FlowEntry, readFlowEntries } from './flow-entry.ts';
export { flowFlushMs } from './flow-log.ts';
export { gatewayListener } from './gateway-listener.ts';
export { ingressHosts, ingressListener, ingressRoutes } from './ingress-listener.ts';
export { ingressSecrets } from './ingress-tls.ts';
export { internalHopCluster, internalHopListener } from './internal-hop.ts';
export {
  type CallerTarget,
  type ExposedEnd,
  httpListener,
  inboundListener,
  type MtlsEnd,
  needsInternalHop,
  originateListener,
  outboundListener,
} from './listeners.ts';
export {
  bundleSecretName,
  clusterBundleSecretName,
  controlBundleSecretName,
  controlClusterName,
  federatedBundleSecretName,
  gatewayListenerName,
  internalHopName,
  svidSecretName,
} from './names.ts';
export type { TrafficSource } from './route-match.ts';
export { type HttpHost, plainRules, type RouteContext, routeConfiguration, routingHosts } from './routes.ts';
export { trustDomainsSecret, trustSecret } from './secrets.ts';
