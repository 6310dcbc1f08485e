import { MeshError } from '../../core/errors.ts';
import { childController } from '../../core/lifecycle.ts';

/** While services take turns, none holds its place longer than this, ms. */
const turnMs = 250;

/**
 * Bounds how many blocking queries run at once. As long as there is a place for every service each one blocks as long as
 * Consul allows; beyond that they take turns, first come first served, with short waits, so that a change of any of them is
 * seen within `turnMs` times the number of turns.
 */
export class QueryBudget {
  readonly #places: number;
  readonly #longWaitMs: number;
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<AbortController>();
  #sharing = false;
  #busy = 0;

  constructor(places: number, longWaitMs: number) {
    this.#places = places;
    this.#longWaitMs = longWaitMs;
  }

  /** Says how many services there are. When they no longer all have a place, the long waits are cut short. */
  resize(services: number): void {
    const sharing = services > this.#places;
    if (sharing && !this.#sharing) for (const controller of this.#running) controller.abort();
    this.#sharing = sharing;
  }

  /** Runs `query` in its turn; undefined when its wait was cut short. Rejects with what the query does, or ABORTED. */
  async run<T>(signal: AbortSignal, query: (waitMs: number, signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    await this.#enter(signal);
    const { controller, release } = childController(signal);
    this.#running.add(controller);
    try {
      return await query(this.#sharing ? Math.min(turnMs, this.#longWaitMs) : this.#longWaitMs, controller.signal);
    } catch (error) {
      if (controller.signal.aborted && !signal.aborted) return undefined;
      throw error;
    } finally {
      this.#running.delete(controller);
      release();
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new MeshError('ABORTED', 'query aborted');
    if (this.#busy < this.#places) {
      this.#busy += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1);
        reject(new MeshError('ABORTED', 'query aborted'));
      };
      this.#waiting.push(admit);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** Hands the place to who waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy -= 1;
    else next();
  }
}
