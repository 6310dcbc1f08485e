export type { AuthzRule, Caller, Decision } from '../../core/authz/index.ts';
export { authorize } from '../../core/authz/index.ts';
export { authorizationPolicies } from './authorization-policies.ts';
export type { CallerPolicyInput } from './caller-policies.ts';
export { callerOf, callerPolicies } from './caller-policies.ts';
export type { Policy, ServiceAuthz } from './contract.ts';
export type { ExplainedDecision } from './explain-decision.ts';
export { explainDecision } from './explain-decision.ts';
