export { JoinTokenAttestor } from './join-token-attestor.ts';
export type { CreatedToken, TokenRequest } from './manage-tokens.ts';
export { createToken, grantsOfToken, listTokens, openTokensOf, revokeToken, shutOut, voidOutstandingTokens } from './manage-tokens.ts';
export type { TokenRecord } from './record.ts';
