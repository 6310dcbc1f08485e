export type { Decision } from './authorize.ts';
export { authorize } from './authorize.ts';
export type { CallerPolicyInput } from './caller-policies.ts';
export { callerOf, callerPolicies } from './caller-policies.ts';
export type { AuthzRule, Caller, Policy, ServiceAuthz } from './contract.ts';
