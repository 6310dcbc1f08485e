export type { ForwardParts, ForwardTables, RequestReport } from './contract.ts';
export { HttpForwarder } from './http-forwarder.ts';
export { UpstreamPool } from './upstream-pool.ts';
