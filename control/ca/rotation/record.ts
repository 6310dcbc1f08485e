export type RotationPhase = 'prepare' | 'distribute' | 'sign' | 'retire' | 'done' | 'aborted';

/** A rotation, as its driver stores it under `rotationKey`. One at a time; the last one stays until the next begins. */
export interface RotationRecord {
  readonly id: string;
  /** Unix ms. */
  readonly startedAt: number;
  /** Fingerprint of the root that signed when it began. */
  readonly from: string;
  /** Of the new one; absent before it is made. */
  readonly to?: string;
  /** Which of the two is to be left: `from` once it was aborted. */
  readonly goal: 'to' | 'from';
  readonly phase: RotationPhase;
  /** Wait for `continue` before each phase. */
  readonly step: boolean;
  /** The phase that `continue` let in; used up by it. */
  readonly allowed?: RotationPhase;
  /** Who is not waited for. */
  readonly without: readonly string[];
  /** Retire although the root is in use: what is under it ends there and then. */
  readonly force: boolean;
  readonly history: readonly { readonly phase: RotationPhase; readonly at: number }[];
}

export const rotationKey = 'ca/rotation';
