import type { Violation } from '../../core/validate.ts';
import type { RefusalReason, Refusals } from '../telemetry/index.ts';

/** Grants whose last refusal is remembered; the oldest is forgotten. */
const mostRemembered = 1_000;
const mostText = 512;

/** Says each registration that is refused, and remembers the last of each grant for people; in memory, of this control plane alone. */
export class RefusedRegistrations {
  readonly #refusals: Refusals;
  readonly #last = new Map<string, string>();

  constructor(refusals: Refusals) {
    this.#refusals = refusals;
  }

  /** `grant`: undefined where it is not known whose it is. `detail` is shown in `isthmus vm list`. */
  refuse(grant: string | undefined, reason: RefusalReason, detail: string, fields: Readonly<Record<string, unknown>>): void {
    this.#refusals.refuse('registration', reason, detail, fields);
    if (grant === undefined) return;
    this.#last.delete(grant);
    this.#last.set(grant, detail.length > mostText ? `${detail.slice(0, mostText)}...` : detail);
    const [oldest] = this.#last.keys();
    if (this.#last.size > mostRemembered && oldest !== undefined) this.#last.delete(oldest);
  }

  /** A registration on it was taken since. */
  taken(grant: string): void {
    this.#last.delete(grant);
  }

  /** Why the last registration on a grant was refused; undefined when it was taken, or none came here. */
  of(grant: string): string | undefined {
    return this.#last.get(grant);
  }
}

/** Which class a hello belongs to that does not hold: what it has no right to goes before its form. Pure. */
export function classOf(violations: readonly Violation[]): RefusalReason {
  const claim = violations.find(({ path }) => path.startsWith('claims.'))?.path;
  if (claim === undefined) return 'malformed';
  if (claim === 'claims.instance') return 'wrong-instance';
  if (claim === 'claims.role') return 'wrong-role';
  return claim.startsWith('claims.addresses') ? 'wrong-address' : 'wrong-service';
}
