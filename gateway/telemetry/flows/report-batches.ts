import type { Flow, FlowRecorder } from '../../../core/telemetry/index.ts';

export interface Batch {
  /** From 1. */
  readonly sequence: number;
  readonly flows: readonly Flow[];
  /** Monotonic ms. */
  readonly closedAt: number;
}

/**
 * What is to be said next: one batch until it was acknowledged, while the recorder goes on. A batch that nobody took for
 * `holdMs` is let go of and counted, so that two of them are the most there is.
 */
export class ReportBatches {
  readonly #recorder: FlowRecorder;
  readonly #holdMs: number;
  #sequence = 0;
  #waiting: Batch | undefined;
  #dropped = 0;

  constructor(recorder: FlowRecorder, holdMs = 60_000) {
    this.#recorder = recorder;
    this.#holdMs = holdMs;
  }

  /** Requests and connections that were in no report. */
  get dropped(): number {
    return this.#dropped;
  }

  get waiting(): Batch | undefined {
    return this.#waiting;
  }

  /** The one that waits, or a new one; it may be empty, which says that there was nothing. */
  next(now: number): Batch {
    if (this.#waiting !== undefined && now - this.#waiting.closedAt > this.#holdMs) this.#drop(this.#waiting);
    this.#waiting ??= { sequence: ++this.#sequence, flows: this.#recorder.take(), closedAt: now };
    return this.#waiting;
  }

  acknowledged(sequence: number): void {
    if (this.#waiting?.sequence === sequence) this.#waiting = undefined;
  }

  #drop({ flows }: Batch): void {
    for (const { counts } of flows) this.#dropped += counts.requests + counts.connections;
    this.#waiting = undefined;
  }
}
