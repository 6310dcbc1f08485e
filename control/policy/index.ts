export type { AuthzRule, Caller, Policy, ServiceAuthz } from './contract.ts';
