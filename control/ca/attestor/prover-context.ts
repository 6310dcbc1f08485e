import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Store } from '../../../core/store.ts';

/** What provers are given besides their policy. */
export interface ProverContext {
  /** NAMESPACE/NAME of the policy. */
  readonly policy: string;
  /** What proofs are made for where the policy names no audience. */
  readonly audience: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export function audiencesOf({ audiences }: { readonly audiences: readonly string[] }, { audience }: ProverContext): readonly string[] {
  return audiences.length > 0 ? audiences : [audience];
}
