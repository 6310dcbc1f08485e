export { Budgets } from './budgets.ts';
export { UpstreamByProtocol } from './by-protocol.ts';
export type { ForwardParts, ForwardTables, RequestReport } from './contract.ts';
export { HttpForwarder } from './http-forwarder.ts';
export { Http1Upstream } from './http1/upstream.ts';
export { Http2Upstream, SessionPool } from './http2/index.ts';
export { UpstreamPool } from './upstream-pool.ts';
export { WatchedUpstream } from './watched-upstream.ts';
