import type { ClaimsDocument } from '../../../core/cel/index.ts';
import type { RefusalReason } from '../../telemetry/index.ts';

/**
 * Nobody gets an identity by saying a name: an attestor proves it. One per kind of proof; all keep to the same suite. Implementations
 * decide and record in one transaction, so that what they granted is durable when they say so.
 */
export interface Attestor {
  /** What AttestRequest.attestor says. */
  readonly name: string;
  /**
   * Judges a proof. The requester has proven possession of `spki`'s key already. Refusals are results; throws MeshError
   * STORE_UNAVAILABLE alone. `now` is Unix ms.
   */
  attest(request: AttestationRequest, now: number): Promise<AttestationVerdict>;
  /**
   * Before a renewal on one of its grants: whether what was proven then is still good for the same identity, by the rules of now; the grant as it is
   * from now on, durable. Absent: a grant holds until it is revoked.
   */
  judgeAgain?(grant: Grant): Promise<AttestationVerdict>;
}

export interface AttestationRequest {
  readonly proof: Uint8Array;
  /** SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** What the requester calls itself; unique within one identity. */
  readonly instance: string;
  /** The IP that the request came from. */
  readonly source: string;
  /** Names that the CSR asks for; any that is not the granted one is a refusal, before anything is used up. */
  readonly requestedUris: readonly string[];
  readonly requestedDns: readonly string[];
}

/**
 * `unproven`: the proof does not hold; `forbidden`: it holds for something else; `limited`, `unavailable` (its issuer cannot be asked): the same may
 * hold later. `why` is counted and `reason` logged here, with no secret in it; neither is sent: they would help to guess.
 */
export type AttestationVerdict =
  | { readonly ok: true; readonly grant: Grant }
  | {
      readonly ok: false;
      readonly kind: 'unproven' | 'forbidden' | 'limited' | 'unavailable';
      readonly why: RefusalReason;
      readonly reason: string;
    };

/** What a proof entitles to. */
export interface Claims {
  readonly role: 'workload' | 'gateway';
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Services it may register endpoints of. Empty: none, it only calls. */
  readonly services: readonly ServiceClaim[];
  /**
   * CIDRs that its registered addresses must be in. Empty: a workload may register the address it is seen from alone, a gateway any.
   */
  readonly addresses: readonly string[];
  /** NAMESPACE/NAME of the WorkloadGroup that it belongs to. */
  readonly group?: string;
}

export interface ServiceClaim {
  readonly namespace: string;
  /** `*` for all of the namespace. */
  readonly name: string;
  /** Service ports; empty: any. */
  readonly ports: readonly number[];
}

/** A proof that was accepted: what its SVIDs are for, until it is revoked. */
export interface Grant {
  readonly id: string;
  readonly attestor: string;
  /** What the attestor knows the proof by: a token's id. */
  readonly proof: string;
  readonly claims: Claims;
  readonly instance: string;
  /** Unix ms. */
  readonly createdAt: number;
  /** End of the newest SVID issued for it; 0 before the first. */
  readonly lastNotAfter: number;
  readonly revoked: boolean;
  /** Its holder said goodbye, and has neither registered nor got an SVID since. */
  readonly left?: boolean;
  /** What a policy's rules were shown, to be judged again by those of later. Never logged. */
  readonly evidence?: ClaimsDocument;
}
