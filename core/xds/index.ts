/** xDS as both sides speak it: generated messages by package, names of types, decoding, and the delta client. */
export type { HttpClaim, InboundClaim, NodeClaims, OutboundClaim } from './claims.ts';
export { noClaims } from './claims.ts';
export { createDeltaClient } from './client.ts';
export type { Received } from './client-state.ts';
export { DeltaClientState } from './client-state.ts';
export type {
  ChannelSecurity,
  DeltaClient,
  DeltaClientOptions,
  DeltaClientPhase,
  DeltaClientStatus,
  DeltaClientTiming,
  HeldResource,
  ResourceRejection,
  SavedResource,
  XdsUpdate,
} from './client-types.ts';
export type { NativeResource } from './decode.ts';
export { decodeResource } from './decode.ts';
export * as core from './gen/envoy/config/core/v3/base.ts';
export * as ads from './gen/envoy/service/discovery/v3/ads.ts';
export * as discovery from './gen/envoy/service/discovery/v3/discovery.ts';
export type { Any } from './gen/google/protobuf/any.ts';
export * as agent from './gen/isthmus/agent/v1/agent.ts';
export * as native from './gen/isthmus/native/v1/native.ts';
export * as nativeRouting from './gen/isthmus/native/v1/routing.ts';
export * as nativeTraffic from './gen/isthmus/native/v1/traffic.ts';
export * as peering from './gen/isthmus/peering/v1/peering.ts';
export * as xds from './gen/isthmus/xds/v1/xds.ts';
export type { ClientKind, DialectName, NodeFacts } from './node.ts';
export { buildNode, parseNode } from './node.ts';
export type { Labels } from './node-labels.ts';
export { nackStatus } from './rejections.ts';
export type { ChangedNames, ClientClass, EncodedResource, ResourceSet, ResourceSource, ResourceView } from './resource-source.ts';
export {
  envoyOrder,
  envoyTypeUrls,
  nativeOrder,
  nativeTypeUrls,
  peeringOrder,
  peeringTypeUrls,
} from './type-urls.ts';
