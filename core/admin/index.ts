export {
  AuthorityCertificate,
  AuthorityStatus,
  InstallRequest,
  IntermediateRequest,
  RotateRequest,
  RotationStatus,
} from './authority.ts';
export { ApiError, label, list } from './common.ts';
export type { DriftObject } from './drift.ts';
export { Drift, DriftSummary } from './drift.ts';
export type { ExplainStep } from './explain.ts';
export { Explanation } from './explain.ts';
export { ExplainedRequest } from './explained-request.ts';
export { Federation, FederationBundle, FederationDomain } from './federation.ts';
export { AttestorToken, CreatedJoinToken, Instance, InstanceList, JoinTokenRequest } from './instances.ts';
export {
  ApproveRequest,
  MigrationFreeze,
  MigrationPlan,
  MigrationPlanRequest,
  MigrationReason,
  MigrationReportFiles,
} from './migration-requests.ts';
export type { DrainEndpoint, GateStatus, MigrationEvent, MigrationPhase, MigrationSample, SideFigures, SideStatus } from './migrations.ts';
export { MigrationList, MigrationReport, MigrationStatus } from './migrations.ts';
export type { MtlsPort } from './mtls.ts';
export { MtlsStatus } from './mtls.ts';
export type { ChangedObject, ObjectFinding, ObjectItem } from './objects.ts';
export {
  ApplyRequest,
  ChangeResult,
  ConfirmRequest,
  DeleteRequest,
  ObjectList,
  ObjectName,
  RevisionDetail,
  RevisionList,
  RevisionSummary,
  RollbackRequest,
} from './objects.ts';
export { SignedIntermediate, SignRequest, UninstallPlan, UninstallRequest, UninstallResult } from './operations.ts';
export { Invite, InviteRequest, JoinedPeer, JoinPeerRequest, PeerList, RemovedPeer } from './peers.ts';
export { Plan, PlanRequest, ServicePlan } from './plan.ts';
export { Revocation, RevocationStatus, RevokeRequest } from './revocations.ts';
export type { CertificateStatus, ClientStatus, Conflict, EndpointGroup, FindingsStatus, GatewayStatus, SourceStatus } from './status.ts';
export { PeerStatus, ServiceStatus, Status } from './status.ts';
export type { TrafficItem } from './traffic.ts';
export { Traffic } from './traffic.ts';
