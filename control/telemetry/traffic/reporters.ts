import type { Clock } from '../../../core/clock.ts';

/** One proxy that says what it carries. */
export interface ReporterStatus {
  /** SPIFFE-ID#INSTANCE, as xDS clients are named. */
  readonly id: string;
  /** ms since it last reported; an empty report counts. */
  readonly ageMs: number;
  /** Requests and connections since its start that are in no report: this control plane was away for too long. */
  readonly dropped: number;
  /** Flows that it was not let say, since this control plane knows it. */
  readonly refused: number;
}

interface Known {
  readonly epoch: string;
  readonly sequence: number;
  readonly heardAt: number;
  readonly dropped: number;
  readonly refused: number;
}

const keptMs = 3_600_000;
const mostReporters = 16_384;

/** Who reports, and what of it was counted already. Forgets who is silent for an hour. */
export class Reporters {
  readonly #clock: Clock;
  /** Longest silent first. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False: this report was counted before. An epoch is one start of the reporter; within it sequences rise. */
  isNew(id: string, epoch: string, sequence: number): boolean {
    const known = this.#known.get(id);
    return known === undefined || known.epoch !== epoch || sequence > known.sequence;
  }

  heard(
    id: string,
    report: { readonly epoch: string; readonly sequence: number; readonly dropped: number; readonly refused: number },
  ): void {
    const refused = (this.#known.get(id)?.refused ?? 0) + report.refused;
    this.#known.delete(id);
    this.#known.set(id, { ...report, refused, heardAt: this.#clock.monotonic() });
    for (const [oldest, { heardAt }] of this.#known) {
      if (this.#known.size <= mostReporters && this.#clock.monotonic() - heardAt < keptMs) break;
      this.#known.delete(oldest);
    }
  }

  status(): ReporterStatus[] {
    const now = this.#clock.monotonic();
    return [...this.#known].map(([id, { heardAt, dropped, refused }]) => ({ id, ageMs: now - heardAt, dropped, refused }));
  }
}
