export type { Decision } from './authorize.ts';
export { authorize } from './authorize.ts';
export type { AuthzMatch, AuthzRule, Caller } from './contract.ts';
