import type { Clock } from '../core/clock.ts';
import { childController, isAborted } from '../core/lifecycle.ts';

/** However often somebody asks, what is waited for happens this far apart, ms. */
const floorMs = 50;

/** A periodic task's wait, which others may cut short: a check when a request found the app gone, a plan when the state changed. */
export class Nudge {
  #asked = false;
  #wake: (() => void) | undefined;

  ask(): void {
    this.#asked = true;
    this.#wake?.();
  }

  /** Until `ms` have passed or somebody asks. Rejects with MeshError ABORTED. For one waiter at a time. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    await clock.sleep(Math.min(ms, floorMs), signal);
    if (!this.#asked && ms > floorMs) await this.#sleep(ms - floorMs, clock, signal);
    this.#asked = false;
  }

  async #sleep(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    const { controller, release } = childController(signal);
    this.#wake = () => controller.abort();
    try {
      await clock.sleep(ms, controller.signal);
    } catch (error) {
      if (signal.aborted || !isAborted(error)) throw error;
    } finally {
      this.#wake = undefined;
      release();
    }
  }
}
