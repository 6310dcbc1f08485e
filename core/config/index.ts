export type {
  AttestationGrant,
  AttestationPolicySpec,
  AttestationRule,
  AttestorSpec,
  AttestorType,
  AwsAttestor,
  JwtAlgorithm,
  KubernetesAttestor,
  NomadAttestor,
  OidcAttestor,
  X509Attestor,
} from './attestation.ts';
export { attestationAudience, jwtAlgorithms } from './attestation.ts';
export type { BundleEndpointSpec, FederatedTrustDomainSpec, FederationServerSpec } from './federation.ts';
export type { KindName } from './kind-names.ts';
export { appliableKinds, findKinds } from './kind-names.ts';
export type {
  AccessPolicyObject,
  AccessPolicySpec,
  AttestationPolicyObject,
  AuthorizationPolicyObject,
  AuthorizationPolicySpec,
  AuthorizationSource,
  ConfigObject,
  ConsulConnection,
  ExportPolicyObject,
  ExportPolicySpec,
  FederatedTrustDomainObject,
  FileConnection,
  KubernetesConnection,
  MeshObject,
  MeshSpec,
  NomadConnection,
  ObjectSelection,
  PeerAuthenticationObject,
  PeerAuthenticationSpec,
  PeerObject,
  PeerSpec,
  RegistryObject,
  RegistrySpec,
  RequestAuthenticationObject,
  RequestAuthenticationSpec,
  RequestTokenRule,
  Role,
  TlsFiles,
  TrafficObject,
  TrafficObjectOf,
  WorkloadSelection,
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
