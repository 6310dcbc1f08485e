export { compileAuthz } from './build-service.ts';
export { createSnapshotBuilder } from './builder.ts';
export { compiledCheck } from './check-compiled.ts';
export { DialectResources } from './dialect-resources.ts';
export { nativeDialect } from './encode-native.ts';
export { envoyDialect } from './envoy/index.ts';
export { explain } from './explain.ts';
export { findingsOf } from './findings.ts';
export { gatewaysFor } from './gateways-for.ts';
export { grpcDialect } from './grpc/index.ts';
export type { GatewayPort, SnapshotBuilder, SnapshotInputs, TrustInput } from './inputs.ts';
export { findGatewayPort, noTraffic } from './inputs.ts';
export type {
  AssignmentIr,
  AuthzIr,
  BundleIr,
  ClientClass,
  ClusterIr,
  EndpointIr,
  IrOf,
  ListenerIr,
  Resource,
  ResourceKind,
  RouteIr,
  Snapshot,
  SnapshotDiff,
  TlsIr,
} from './ir.ts';
export { resourceKinds } from './ir.ts';
export { type VisibleServices, visibleServices } from './visible-services.ts';
