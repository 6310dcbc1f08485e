export type { Caller, ClientFacts } from './caller.ts';
export type { XdsServer, XdsServerOptions } from './server.ts';
export { createXdsServer } from './server.ts';
export type { XdsClientStatus } from './status.ts';
