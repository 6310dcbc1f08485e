export { ByDomain } from './by-domain.ts';
export { type CompiledRouting, Router, type RuleMatch } from './compile.ts';
export type { CorsVerdict } from './cors.ts';
export { changeHeaders } from './header-changes.ts';
export type { ProxyNode } from './http-match.ts';
export { locationOf } from './redirect.ts';
export { portAt, RequestView } from './request-view.ts';
export { backoffMs, isRetriable, type TryEnd } from './retry.ts';
export { hits, pickWeighted } from './weighted.ts';
