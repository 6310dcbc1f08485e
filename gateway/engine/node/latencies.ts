import type { Latency } from '../latency-contract.ts';

/** src/tables/latency.rs has the same. */
const boundsMs = [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000, 300_000, 3_600_000];

/** Adds up how long the steps of connections took. */
export class Latencies {
  readonly #spreads = new Map<string, { step: Latency['step']; of: string; counts: number[]; sumMs: number }>();

  add(step: Latency['step'], of: string, ms: number): void {
    const key = `${step}\n${of}`;
    let spread = this.#spreads.get(key);
    if (spread === undefined) {
      spread = { step, of, counts: new Array<number>(boundsMs.length + 1).fill(0), sumMs: 0 };
      this.#spreads.set(key, spread);
    }
    const found = boundsMs.findIndex((bound) => ms <= bound);
    const at = found < 0 ? boundsMs.length : found;
    spread.counts[at] = (spread.counts[at] ?? 0) + 1;
    spread.sumMs += ms;
  }

  /** Forgets clusters that are not among these. */
  seen(clusters: ReadonlyMap<string, unknown>): readonly Latency[] {
    for (const [key, { step, of }] of this.#spreads) if (step !== 'handshake' && !clusters.has(of)) this.#spreads.delete(key);
    return [...this.#spreads.values()].map((each) => ({ ...each, counts: [...each.counts], boundsMs }));
  }
}
