/** Counts connections by source address. */
export class ConnectionGate {
  readonly #perSource: number;
  readonly #counts = new Map<string, number>();

  constructor(perSource: number) {
    this.#perSource = perSource;
  }

  /** What to call when the connection ends; undefined: there are too many already. */
  enter(source: string): (() => void) | undefined {
    const count = this.#counts.get(source) ?? 0;
    if (count >= this.#perSource) return undefined;
    this.#counts.set(source, count + 1);
    return () => {
      const left = (this.#counts.get(source) ?? 1) - 1;
      if (left === 0) this.#counts.delete(source);
      else this.#counts.set(source, left);
    };
  }
}
