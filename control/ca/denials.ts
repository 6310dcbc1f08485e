import { isSerialOf } from '../../core/pki/index.ts';

/** Of one peer: a bound on what a broken one can make every verifier hold. */
const mostOfPeer = 20_000;

/** Serials that verifiers refuse: those that this cluster took back, and what peers did of their own. A cluster takes back what it issued alone. */
export class Denials {
  /** Sorted. */
  own: readonly string[] = [];
  readonly #peers = new Map<string, readonly string[]>();

  /** Replaces what a peer says; returns why not all of it counts. */
  setPeer(cluster: string, serials: readonly string[]): readonly string[] {
    const own = serials.filter((serial) => isSerialOf(serial, cluster)).slice(0, mostOfPeer);
    if (own.length === 0) this.#peers.delete(cluster);
    else this.#peers.set(cluster, own);
    return own.length === serials.length ? [] : ['it denies serials that it cannot have issued, or too many'];
  }

  all(): readonly string[] {
    return this.#peers.size === 0 ? this.own : [...new Set([this.own, ...this.#peers.values()].flat())].sort();
  }
}
