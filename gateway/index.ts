export type { DataPlaneContext, DataPlaneLimits, HttpLimits, StateView } from './context.ts';
export type { EngineLimits, PeerIdentity } from './engine/contract.ts';
export type { Inbound, InboundService, OpenPort, Outbound, OutboundListener } from './inbound/contract.ts';
export { defaultLimits } from './limits.ts';
export type { DataPlaneState, Rejection, ResourceKind, ResourceUpdate } from './state/types.ts';
