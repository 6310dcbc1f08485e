import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';

/** Time that moves only when told; who sleeps wakes in the order of the deadlines. */
export class ManualClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  constructor(now = Date.now()) {
    this.#now = now;
    this.#start = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = () => new MeshError('ABORTED', 'wait aborted', { cause: signal?.reason });
      if (signal?.aborted === true) return reject(aborted());
      const end = (finish: () => void) => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', onAbort);
        finish();
      };
      const onAbort = () => end(() => reject(aborted()));
      const sleeper = { at: this.#now + Math.max(0, ms), wake: () => end(resolve) };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Moves time and wakes everybody whose time has come; what they do then runs after this returns. */
  advance(ms: number): void {
    this.#now += ms;
    for (const sleeper of [...this.#sleepers].sort((a, b) => a.at - b.at)) if (sleeper.at <= this.#now) sleeper.wake();
  }
}
