/** The server's side of xDS over any stream: what the protocol demands, without who may have what. */
export type { Admission, Admitted, Opening, Refusal, StreamPeer } from './admission.ts';
export { DeltaServerState } from './delta-server-state.ts';
export type { RequestLimits } from './limits.ts';
export { defaultRequestLimits } from './limits.ts';
export type { RequestOutcome } from './server-state.ts';
export type { GrpcService } from './services.ts';
export { aggregatedService, typeServices } from './services.ts';
export { SotwServerState } from './sotw-server-state.ts';
export type { StreamStatus, StreamTypeStatus } from './stream-status.ts';
export type { StreamLimits } from './streams.ts';
export { XdsStreams } from './streams.ts';
