export type { Decision } from './authorize.ts';
export { auditedBy, authorize, conditionHolds, looksAt, mayBeAllowed } from './authorize.ts';
export type {
  AuthzAttribute,
  AuthzCondition,
  AuthzFacts,
  AuthzMatch,
  AuthzRule,
  AuthzTest,
  Caller,
  ConnectionFacts,
  RequestFacts,
} from './contract.ts';
export { requestAttributes } from './contract.ts';
export { trustDomainOf } from './foreign.ts';
export { type MtlsMode, mtlsModeOf, type PortMtls } from './mtls.ts';
export { normalizePath } from './normalize-path.ts';
export { escapeRegex, isPathTemplate, matchesPattern, pathTemplateRegex, requestPrincipalPattern } from './pattern.ts';
export type { TokenRule } from './tokens.ts';
