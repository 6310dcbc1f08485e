export { ApiError, label, list, port, protocol, serviceName } from './common.ts';
export { ExplainStep, Explanation } from './explain.ts';
export { CreatedJoinToken, Instance, InstanceList, JoinTokenRequest, Revoked } from './instances.ts';
export { SignedIntermediate, SignRequest, UninstallPlan, UninstallRequest, UninstallResult } from './operations.ts';
export { Invite, InviteRequest, JoinedPeer, JoinPeerRequest, PeerList, RemovedPeer } from './peers.ts';
export {
  CertificateStatus,
  ClientStatus,
  Conflict,
  EndpointGroup,
  GatewayStatus,
  PeerStatus,
  ServiceStatus,
  SourceStatus,
  Status,
} from './status.ts';
