import type { Clock } from '../../../core/clock.ts';
import { childController, isAborted } from '../../../core/lifecycle.ts';

/** A wait that others can end. What rang while nobody waited ends the next wait at once. */
export class Alarm {
  #rang = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  /** Until it rings, `signal` aborts, or `ms` are over; undefined: no time ends it. */
  async wait(ms: number | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.#rang && !signal.aborted) {
      const { controller, release } = childController(signal);
      this.#wake = () => controller.abort();
      try {
        if (ms !== undefined) await clock.sleep(ms, controller.signal);
        else await new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve(), { once: true }));
      } catch (error) {
        if (!isAborted(error)) throw error;
      } finally {
        this.#wake = undefined;
        release();
      }
    }
    this.#rang = false;
  }
}

/** What comes of it within `ms`; else, or where it fails, `otherwise`. Its signal aborts when this returns. */
export async function within<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  otherwise: (error: unknown) => T,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  const { controller, release } = childController(signal);
  const over = clock.sleep(ms, controller.signal).then(
    () => ({ late: `there was no answer within ${ms} ms` }),
    () => ({ late: 'it was given up' }),
  );
  const answer = work(controller.signal).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  try {
    const first = await Promise.race([answer, over]);
    if ('value' in first) return first.value;
    return otherwise('error' in first ? first.error : new Error(first.late));
  } finally {
    controller.abort();
    release();
    await over;
  }
}
