import type { Claims } from '../contract.ts';

/** What the store knows of a join token. The secret is not in it: only its SHA-256, which 256 random bits need no salt for. */
export interface TokenRecord {
  readonly id: string;
  readonly secretSha256: string;
  readonly claims: Claims;
  /** Unix ms. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How many different keys may redeem it: 1 for a single machine, more for a fleet. */
  readonly maxUses: number;
  readonly uses: number;
  /** CIDRs that requests must come from; empty: anywhere. */
  readonly sources: readonly string[];
  /**
   * A key that has redeemed it before may come back this long after its last SVID ended (a machine that was off), even when the token itself has
   * expired; 0: not at all.
   */
  readonly rejoinMs: number;
  readonly revoked: boolean;
  readonly note: string;
}

export const tokenKeys = {
  token: (id: string) => `ca/tokens/${id}`,
  use: (id: string, keySha256: string) => `ca/token-uses/${id}/${keySha256}`,
  /** An instance that was revoked does not come back with another key by the token that it came by. */
  shutOut: (id: string, instance: string) => `ca/token-shut-out/${id}/${instance}`,
};
export const tokensPrefix = 'ca/tokens/';
export const usesPrefix = (id: string): string => `ca/token-uses/${id}/`;

/** One key that redeemed a token. */
export interface TokenUse {
  readonly grant: string;
  readonly instance: string;
  /** Unix ms. */
  readonly at: number;
}
