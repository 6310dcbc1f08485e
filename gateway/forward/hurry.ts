/** A request that has no connection yet. */
export interface Hurried<A> {
  readonly signal: AbortSignal;
  /** What it gets when `signal` aborts. */
  readonly gone: A;
  /** Connections that stand, or are being opened. */
  readonly standing: () => number;
  /** Opens one for it, and goes on when it has left. `served`: it has, and nobody takes what comes. Never rejects. */
  readonly open: (served: () => boolean) => Promise<A>;
  /** What came of `open` holds for the others, too. */
  readonly isUnreachable: (acquired: A) => boolean;
}

interface Waiting<A> extends Hurried<A> {
  readonly settle: (acquired: A) => void;
  begun: boolean;
}

/** Opened at once to one endpoint; or a quarter of what stands, so that many long requests do not wait for many rounds. */
const minAtOnce = 16;

/**
 * Requests that wait for a connection to one endpoint, the first first: for one that is opened for them, or one that another is
 * done with, whichever comes sooner. After a stall, or when another site has vanished, hundreds come within milliseconds: that many
 * handshakes take longer than all of them do by the connections that stand, and starve those.
 */
export class Hurry<A> {
  readonly #waiting = new Set<Waiting<A>>();
  #opening = 0;

  enter(one: Hurried<A>): Promise<A> {
    if (one.signal.aborted) return Promise.resolve(one.gone);
    return new Promise((resolve) => {
      const settle = (acquired: A): void => {
        this.#waiting.delete(waiting);
        one.signal.removeEventListener('abort', onAbort);
        resolve(acquired);
      };
      const onAbort = (): void => settle(one.gone);
      const waiting: Waiting<A> = { ...one, settle, begun: false };
      this.#waiting.add(waiting);
      one.signal.addEventListener('abort', onAbort, { once: true });
      this.#openSome();
    });
  }

  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  /** Gives what is free to the one that has waited longest. */
  give(acquired: A): void {
    const [first] = this.#waiting;
    first?.settle(acquired);
  }

  /** Ends the wait of those for whom nothing is being opened yet. */
  failUnbegun(failure: A): void {
    for (const each of [...this.#waiting]) if (!each.begun) each.settle(failure);
  }

  /** Nobody is going to be given one any more. */
  openAll(): void {
    for (const each of this.#waiting) if (!each.begun) void this.#openFor(each);
  }

  #openSome(): void {
    for (const each of this.#waiting) {
      if (this.#opening >= Math.max(minAtOnce, each.standing() / 4)) return;
      if (!each.begun) void this.#openFor(each);
    }
  }

  async #openFor(waiting: Waiting<A>): Promise<void> {
    waiting.begun = true;
    this.#opening += 1;
    const acquired = await waiting.open(() => !this.#waiting.has(waiting));
    this.#opening -= 1;
    waiting.settle(acquired);
    if (waiting.isUnreachable(acquired)) this.failUnbegun(acquired);
    this.#openSome();
  }
}
