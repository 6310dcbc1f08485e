/** Ms without a success after which a backend is tried like any other. */
const suspicionMs = 5_000;

/**
 * Backends behind one gateway that lately failed a request: others are preferred. By the fingerprint of what they proved, since
 * all have the gateway's address. A success clears at once, so that one bad request does not keep a good backend out.
 */
export class Suspects {
  readonly #until = new Map<string, number>();

  /** `now`: monotonic ms. */
  add(backend: string, now: number): void {
    for (const [known, until] of this.#until) if (until <= now) this.#until.delete(known);
    this.#until.set(backend, now + suspicionMs);
  }

  clear(backend: string): void {
    this.#until.delete(backend);
  }

  has(backend: string, now: number): boolean {
    return (this.#until.get(backend) ?? Number.NEGATIVE_INFINITY) > now;
  }
}
