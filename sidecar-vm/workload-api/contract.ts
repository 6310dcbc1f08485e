import type { SvidSource, TrustBundle } from '../../core/identity/index.ts';
import type { Selectors } from '../identities/index.ts';
import type { FreshToken } from './jwt-tokens.ts';

/** One identity of this machine, and whose it is. */
export interface WorkloadIdentity {
  readonly name: string;
  readonly source: SvidSource;
  readonly selectors: Selectors;
  /** A JWT-SVID of this identity, new at each call. Rejects with MeshErrors. */
  readonly signJwt: (audiences: readonly string[]) => Promise<FreshToken>;
  /** For programs that are given several and have to choose; the SPIFFE specification's hint. */
  readonly hint: string;
}

/** What is trusted now: our own trust domain first, then those that are federated with it. */
export interface WorkloadTrust {
  bundles(): readonly TrustBundle[];
  /** After each change. Returns its undoing. */
  subscribe(listener: () => void): () => void;
}
