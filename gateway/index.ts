export type { DataPlaneContext, DataPlaneLimits, HttpLimits, StateView } from './context.ts';
export type { EngineLimits, PeerIdentity } from './engine/contract.ts';
export type { Inbound, InboundService, OpenPort, Outbound, OutboundListener } from './inbound/contract.ts';
export { createInbound } from './inbound/inbound.ts';
export { createOutbound } from './inbound/outbound.ts';
export { defaultLimits } from './limits.ts';
export type { DataPlaneState, Interest, RestoredState, StateFeedOptions } from './state/index.ts';
export { emptyState, loadState, StateFeed, StateStore, saveState } from './state/index.ts';
