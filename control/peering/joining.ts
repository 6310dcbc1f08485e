import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { TrustBundle } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import type { PeerRecord } from './contract.ts';

/** What joining needs of the certificate authority; control/ca's Authority is one. */
export interface JoinAuthority {
  readonly cluster: string;
  readonly trustDomain: string;
  /** It can issue: it has an intermediate that a root has signed. */
  readonly ready: boolean;
  readonly intermediate: { readonly der: Uint8Array } | undefined;
  bundle(): TrustBundle;
  /** The same key until an intermediate is installed. */
  intermediateCsr(): Promise<Uint8Array>;
  /** Durable when it resolves; MeshError IDENTITY_INVALID when it does not fit the request or chains to none of `roots`. */
  installIntermediate(certificate: Uint8Array, roots: readonly Uint8Array[]): Promise<void>;
}

export interface JoiningOptions {
  readonly authority: JoinAuthority;
  /** Where this control plane can be dialled, HOST:PORT; may be empty. */
  readonly addresses: () => readonly string[];
  readonly store: Store;
  /**
   * Signs a joiner's intermediate; undefined when the root is not online here, then the joiner waits for `isthmus ca sign`.
   * MeshError IDENTITY_INVALID for a request that does not prove its key, or asks for another cluster's name.
   */
  readonly signIntermediate: (csr: Uint8Array, cluster: string) => Promise<Uint8Array | undefined>;
  /** DER of the certificate that the gRPC listener presents now, and of those that it presented a moment ago. */
  readonly presented: () => readonly Uint8Array[];
  /** A peer is stored: Peering.added. */
  readonly onJoined: (record: PeerRecord) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** `pending`: the peers know each other, and the root's signature, or the inviter's call, is waited for. */
export interface JoinResult {
  readonly cluster: string;
  readonly trustDomain: string;
  readonly state: 'joined' | 'pending';
}

export interface CreatedInvite {
  readonly id: string;
  /** Secret. */
  readonly token: string;
  /** Unix ms. */
  readonly expiresAt: number;
}
