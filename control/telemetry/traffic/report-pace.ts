/** Of proxies that nobody asked for more. */
const usualMs = 5_000;

/** How soon proxies are asked for their next report. A proxy learns of a change with the answer to its next one. */
export class ReportPace {
  #everyMs: number | undefined;

  /** ms; never sooner than 500 ms, nor later than usual. Undefined: as usual. */
  hurry(everyMs: number | undefined): void {
    this.#everyMs = everyMs === undefined || everyMs >= usualMs ? undefined : Math.max(500, Math.round(everyMs));
  }

  /** ms between two reports, as asked for now. */
  get everyMs(): number {
    return this.#everyMs ?? usualMs;
  }

  /** What proxies are told: ms; 0: as usual. */
  get nextMs(): number {
    return this.#everyMs ?? 0;
  }
}
