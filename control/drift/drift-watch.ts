import type { PairDrift } from './contract.ts';

/** Remembers since when what differs does. In memory: after a restart it begins anew, so it is a lower bound. */
export class DriftWatch {
  #since = new Map<string, number>();

  /** What is true now, as of `now` (Unix ms). What is not mentioned any more is forgotten. */
  saw(pairs: readonly PairDrift[], conflicts: readonly string[], now: number): void {
    const since = new Map<string, number>();
    const keep = (key: string) => since.set(key, this.#since.get(key) ?? now);
    for (const pair of pairs) {
      if (pair.state === 'in-sync') continue;
      keep(pairKey(pair));
      for (const { object } of pair.differences) keep(objectKey(pair, object));
    }
    for (const key of conflicts) keep(conflictKey(key));
    this.#since = since;
  }

  /** Unix ms; undefined: it is in sync, or was not seen. */
  ofPair(pair: PairDrift): number | undefined {
    return this.#since.get(pairKey(pair));
  }

  ofObject(pair: PairDrift, object: string): number | undefined {
    return this.#since.get(objectKey(pair, object));
  }

  ofConflict(key: string): number | undefined {
    return this.#since.get(conflictKey(key));
  }
}

function pairKey({ owner, cluster, state }: PairDrift): string {
  return `pair ${owner} ${cluster} ${state}`;
}

function objectKey({ owner, cluster }: PairDrift, object: string): string {
  return `object ${owner} ${cluster} ${object}`;
}

function conflictKey(key: string): string {
  return `conflict ${key}`;
}
