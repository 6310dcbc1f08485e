export type {
  ChangedServices,
  ExportInputs,
  PeerAnchorsSink,
  PeerCaller,
  PeeringOptions,
  PeeringTiming,
  PeerObjectsReport,
  PeerRecord,
  PeerReport,
  PeerSink,
  RotationWords,
} from './contract.ts';
export { createJoining, type Joining } from './join-service.ts';
export type { CreatedInvite, JoinAuthority, JoiningOptions, JoinResult } from './joining.ts';
export { forgetExportEpoch, putPeer } from './peer-store.ts';
export type { PeerCall, Peering } from './peering.ts';
export { createPeering } from './peering.ts';
export type { SharedSet } from './shared-objects.ts';
export { SharedObjects } from './shared-objects.ts';
