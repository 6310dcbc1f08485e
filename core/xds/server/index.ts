/** The server's side of xDS over any stream: what the protocol demands, without who may have what. */
export { DeltaServerState } from './delta-server-state.ts';
export type { RequestLimits } from './limits.ts';
export { defaultRequestLimits } from './limits.ts';
export type { RequestOutcome } from './server-state.ts';
export { SotwServerState } from './sotw-server-state.ts';
export type { StreamStatus, StreamTypeStatus } from './stream-status.ts';
export type { Admitted, DeltaCall, Opening, Refusal, StreamLimits, XdsStreamsOptions } from './streams.ts';
export { XdsStreams } from './streams.ts';
