import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';

/** Time that moves only when told. Sleepers wake in the order of their deadlines. */
export class ManualClock implements Clock {
  #monotonic = 0;
  #unix: number;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  constructor(unixMs = 1_700_000_000_000) {
    this.#unix = unixMs;
  }

  now(): number {
    return this.#unix;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = () => new MeshError('ABORTED', 'wait aborted');
      if (signal?.aborted === true) return reject(aborted());
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(aborted());
      };
      const wake = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const sleeper = { at: this.#monotonic + Math.max(0, ms), wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Sleepers at the moment: tests wait for one before they advance. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  advance(ms: number): void {
    this.#monotonic += ms;
    this.#unix += ms;
    for (const sleeper of [...this.#sleepers].sort((a, b) => a.at - b.at)) {
      if (sleeper.at > this.#monotonic) return;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
