export type {
  ChangedServices,
  ExportInputs,
  PeerAnchorsSink,
  PeerCaller,
  PeeringOptions,
  PeeringTiming,
  PeerRecord,
  PeerReport,
  PeerSink,
} from './contract.ts';
export { createJoining, type Joining } from './join-service.ts';
export type { CreatedInvite, JoinAuthority, JoiningOptions, JoinResult } from './joining.ts';
export { putPeer } from './peer-store.ts';
export type { PeerCall, Peering } from './peering.ts';
export { createPeering } from './peering.ts';
export { SharedObjects } from './shared-objects.ts';
