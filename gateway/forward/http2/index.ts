export { detectPreface } from './preface.ts';
export { Http2ServerSession } from './server-session.ts';
export { SessionPool } from './session-pool.ts';
export { Http2Upstream } from './upstream.ts';
