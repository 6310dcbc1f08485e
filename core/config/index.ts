export type { KindName } from './kind-names.ts';
export { appliableKinds, findKinds } from './kind-names.ts';
export type {
  AccessPolicyObject,
  AccessPolicySpec,
  AuthorizationPolicyObject,
  AuthorizationPolicySpec,
  ConfigObject,
  ConsulConnection,
  ExportPolicyObject,
  ExportPolicySpec,
  FileConnection,
  KubernetesConnection,
  MeshObject,
  MeshSpec,
  NomadConnection,
  ObjectSelection,
  PeerObject,
  PeerSpec,
  RegistryObject,
  RegistrySpec,
  Role,
  TlsFiles,
  TrafficObject,
  TrafficObjectOf,
} from './kinds.ts';
export type {
  MigrationGate,
  MigrationSide,
  MigrationSpec,
  MigrationStep,
  MigrationWebhook,
  TrafficShiftSpec,
} from './migration.ts';
export { shiftSubset } from './migration.ts';
export type * from './traffic.ts';
