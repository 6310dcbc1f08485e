export type { ClusterId, EndpointKey, NetworkId, ServiceKey, SourceId } from './ids.ts';
export { clusterId, endpointKey, isDnsLabel, networkId, serviceKey, sourceId, splitServiceKey } from './ids.ts';
export type { ServiceTarget } from './names.ts';
export {
  clusterSan,
  clusterSetHost,
  controlServiceAccount,
  gatewayServiceAccount,
  gatewaySubset,
  gatewaySubsetOf,
  ingressServiceAccount,
  localClusterName,
  meshHost,
  outboundClusterName,
  parseSniName,
  siteSubsetOf,
  sniName,
  systemNamespace,
  terminatedSubset,
  tunnelSubsetOf,
} from './names.ts';
export type {
  EndpointRecord,
  EndpointTunnel,
  Health,
  Locality,
  Protocol,
  Runtime,
  ServicePort,
  ServiceRecord,
  TlsMode,
} from './service.ts';
export { formatLocality, noLocality, parseLocality } from './service.ts';
export type { SpiffeId } from './spiffe-id.ts';
export { formatSpiffeId, parseSpiffeId, principalOf } from './spiffe-id.ts';
export type { WorkloadId } from './workload-id.ts';
export { formatWorkloadId, isTrustDomain, parseWorkloadId } from './workload-id.ts';
