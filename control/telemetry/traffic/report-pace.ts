/** How soon proxies are asked for their next report. A proxy learns of a change with the answer to its next one. */
export class ReportPace {
  #everyMs: number | undefined;

  /** ms; undefined: as usual. Never sooner than 500 ms. */
  hurry(everyMs: number | undefined): void {
    this.#everyMs = everyMs === undefined ? undefined : Math.max(500, Math.round(everyMs));
  }

  /** ms; 0: as usual. */
  get nextMs(): number {
    return this.#everyMs ?? 0;
  }
}
