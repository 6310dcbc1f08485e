import type { ClaimsDocument } from '../../../core/cel/index.ts';
import type { RefusalReason } from '../../telemetry/index.ts';
import type { AttestationRequest, AttestationVerdict } from './contract.ts';

/**
 * Judges one kind of proof, and nothing else: what the proof entitles to is for a policy's rules, and that it is used by one key alone for who asks.
 * All keep to the suite in test/contract/attestor.
 */
export interface Prover {
  /** Refusals are results; never throws, whatever the bytes. Ends within some seconds, whoever else is asked for it. `now` is Unix ms. */
  prove(request: AttestationRequest, now: number): Promise<ProofVerdict>;
  /** Lets go of connections. Idempotent. */
  close(): Promise<void>;
}

export type ProofVerdict = { readonly ok: true; readonly proven: Proven } | Extract<AttestationVerdict, { ok: false }>;

export interface Proven {
  /** What the rules see; JSON. */
  readonly claims: ClaimsDocument;
  /** Who holds the proof, in its issuer's words: for logs and grants. */
  readonly subject: string;
  /** What no second key may use: the proof itself where its holder has new ones, else its holder. Absent: it was made for this key alone. */
  readonly once?: string;
  /** Until when a key that is new to `once` is taken; Unix ms. Absent: at any time. */
  readonly firstUseBy?: number;
  /** When `once` need not be remembered any longer, as the proof has ended; Unix ms. Absent: never. */
  readonly onceUntil?: number;
  /** The one machine or process that it is of, where its issuer says that: to revoke one key of it is to revoke it. */
  readonly machine?: string;
}

export function refuseProof(
  kind: Extract<AttestationVerdict, { ok: false }>['kind'],
  why: RefusalReason,
  reason: string,
): Extract<AttestationVerdict, { ok: false }> {
  return { ok: false, kind, why, reason };
}
