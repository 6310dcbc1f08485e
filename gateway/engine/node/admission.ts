import type { EngineLimits } from '../contract.ts';

/** Counts open connections, in all and by source address. */
export class Admission {
  readonly #limits: EngineLimits;
  readonly #bySource = new Map<string, number>();
  #open = 0;

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  /** What gives the place back, to be called once; or why there is none. */
  admit(source: string): (() => void) | 'too-many-connections' | 'too-many-from-source' {
    const ofSource = this.#bySource.get(source) ?? 0;
    if (this.#open >= this.#limits.maxConnections) return 'too-many-connections';
    if (ofSource >= this.#limits.maxConnectionsPerSource) return 'too-many-from-source';
    this.#open += 1;
    this.#bySource.set(source, ofSource + 1);
    return () => {
      this.#open -= 1;
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left === 0) this.#bySource.delete(source);
      else this.#bySource.set(source, left);
    };
  }
}
