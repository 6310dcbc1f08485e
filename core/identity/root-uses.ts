import type { Clock } from '../clock.ts';
import type { RootReport } from '../xds/gen/isthmus/agent/v1/agent.ts';

export interface RootUse {
  readonly handshakes: number;
  /** Monotonic ms. */
  readonly at: number;
  /** SPIFFE id and cluster of whoever came last. */
  readonly lastPeer: string;
}

/** A trust domain has two while they are rotated; more are of those before. */
const mostRoots = 8;

/** How many of the handshakes that this process verified each root has vouched for, and when the last one was. */
export class RootUses {
  readonly #clock: Clock;
  readonly #uses = new Map<string, RootUse>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `root`: SHA-256, lower-case hex; undefined: it could not be seen, and nothing is counted. */
  count(root: string | undefined, peer: { readonly spiffeId: string; readonly cluster: string }): void {
    if (root === undefined || (!this.#uses.has(root) && this.#uses.size >= mostRoots)) return;
    const handshakes = (this.#uses.get(root)?.handshakes ?? 0) + 1;
    this.#uses.set(root, { handshakes, at: this.#clock.monotonic(), lastPeer: `${peer.spiffeId} ${peer.cluster}` });
  }

  /** ms since the last one; undefined: none was seen. */
  idleMs(root: string): number | undefined {
    const use = this.#uses.get(root);
    return use === undefined ? undefined : this.#clock.monotonic() - use.at;
  }

  of(root: string): RootUse | undefined {
    return this.#uses.get(root);
  }

  report(): RootReport['uses'] {
    return [...this.#uses].map(([root, { handshakes, lastPeer }]) => ({
      root: Buffer.from(root, 'hex'),
      handshakes,
      idleMs: Math.min(0xffff_ffff, Math.round(this.idleMs(root) ?? 0)),
      lastPeer,
    }));
  }
}
