export type { Decision } from './authorize.ts';
export { authorize, matchesPattern } from './authorize.ts';
export type { AuthzMatch, AuthzRule, Caller } from './contract.ts';
