import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Certificate } from '../../core/pki/index.ts';
import type { Root } from './root.ts';

export interface AuthorityOptions {
  /** stateDir/ca. */
  readonly dir: string;
  readonly cluster: string;
  readonly trustDomain: string;
  /** Absent: this cluster can't sign intermediates; it joins another, or waits for `isthmus ca sign`. */
  readonly root?: Root;
  /** What counts where nothing does yet, though its key is not here: of an external signer. */
  readonly pinned?: readonly Certificate[];
  /** All roots that are online, where there may be several while they are rotated. Default: `root`. */
  readonly online?: readonly Root[];
  /**
   * A new signing certificate is announced in the bundle, and signs only after `activate`: whoever takes nothing but the signing certificates that
   * it knows (Envoy, proxyless gRPC) then knows it before it meets it. Default false: it signs at once.
   */
  readonly announceFirst?: boolean;
  readonly intermediateTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface IssuedChain {
  readonly chain: readonly Buffer[];
  readonly leaf: Certificate;
  /** Serial of the signing certificate. */
  readonly issuer: string;
}

/** What peers say of their trust. */
export interface PeerAnchors {
  readonly intermediates: readonly Uint8Array[];
  /** Serials of SVIDs that it issued and took back. Default: none. */
  readonly denied?: readonly string[];
}
