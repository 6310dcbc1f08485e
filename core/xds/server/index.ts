/** The server's side of xDS over any stream: what the protocol demands, without who may have what. */
export type { DeltaServerLimits } from './delta-server-state.ts';
export { DeltaServerState, defaultDeltaLimits } from './delta-server-state.ts';
export type { RequestOutcome } from './server-state.ts';
export type { StreamStatus, StreamTypeStatus } from './stream-status.ts';
export type { Admitted, DeltaCall, Opening, Refusal, StreamLimits, XdsStreamsOptions } from './streams.ts';
export { XdsStreams } from './streams.ts';
