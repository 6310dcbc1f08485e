import type { EngineLimits } from '../contract.ts';

/** As many are open in all as there may be. */
export const tooMany = 'too-many-connections';
/** Whoever comes would cost what nobody has. */
export const memoryShort = 'memory-short';

/** Counts open connections, in all and by source address. */
export class Admission {
  readonly #limits: EngineLimits;
  readonly #bySource = new Map<string, number>();
  #open = 0;
  /** While it is set nobody is admitted. */
  short = false;

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  /** A place, or why there is none. Until it is said whose it is, it counts in all alone. */
  admitUnnamed(): Place | typeof tooMany | typeof memoryShort {
    if (this.short) return memoryShort;
    if (this.#open >= this.#limits.maxConnections) return tooMany;
    this.#open += 1;
    let named: string | undefined;
    return {
      name: (source) => {
        const ofSource = this.#bySource.get(source) ?? 0;
        if (ofSource >= this.#limits.maxConnectionsPerSource) return 'too-many-from-source';
        this.#bySource.set(source, ofSource + 1);
        named = source;
        return undefined;
      },
      release: () => {
        this.#open -= 1;
        if (named !== undefined) this.#leave(named);
      },
    };
  }

  #leave(source: string): void {
    const left = (this.#bySource.get(source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, left);
  }
}

/** Of one connection. */
export interface Place {
  /** Once: whose it is, or why there is no place for more of that source. */
  name(source: string): 'too-many-from-source' | undefined;
  /** Once. */
  release(): void;
}
