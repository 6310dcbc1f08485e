export type { Caller, CallLike } from './callers.ts';
export { sourceOf } from './callers.ts';
export type { FrontIdentity, GrpcFrontOptions } from './front.ts';
export { GrpcFront } from './front.ts';
export type { IdentityServiceOptions } from './identity-service.ts';
export { identityServer } from './identity-service.ts';
export type { FrontLimits } from './limits.ts';
export { toStatus } from './status.ts';
