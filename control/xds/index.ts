export type { Caller, ClientFacts } from './caller.ts';
export type { DeltaServerLimits, RequestOutcome } from './delta-server-state.ts';
export { DeltaServerState, defaultDeltaLimits } from './delta-server-state.ts';
export type { XdsServer, XdsServerLimits, XdsServerOptions } from './server.ts';
export { createXdsServer } from './server.ts';
export type { XdsClientStatus, XdsTypeStatus } from './status.ts';
