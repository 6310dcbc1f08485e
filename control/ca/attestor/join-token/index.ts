export { inCidrs } from './cidr.ts';
export { JoinTokenAttestor } from './join-token-attestor.ts';
export type { CreatedToken, TokenRequest } from './manage-tokens.ts';
export { createToken, listTokens, revokeToken, voidOutstandingTokens } from './manage-tokens.ts';
export type { TokenRecord } from './record.ts';
