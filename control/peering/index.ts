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
export { listPeers, putPeer } from './peer-store.ts';
export type { PeerCall, Peering } from './peering.ts';
export { createPeering } from './peering.ts';
