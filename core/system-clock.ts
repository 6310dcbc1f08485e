import type { Clock } from './clock.ts';
import { MeshError } from './errors.ts';
import { childController } from './lifecycle.ts';

/** setTimeout fires at once for more than this many ms. */
const longestTimeout = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(0, ms), longestTimeout));
    return () => clearTimeout(timer);
  },
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const aborted = () => new MeshError('ABORTED', 'wait aborted', { cause: signal?.reason });
      if (signal?.aborted === true) return reject(aborted());
      // However many sleep on one signal, they are one listener to it.
      const child = signal === undefined ? undefined : childController(signal);
      const onAbort = () => {
        clearTimeout(timer);
        reject(aborted());
      };
      const timer = setTimeout(
        () => {
          child?.release();
          resolve();
        },
        Math.min(Math.max(0, ms), longestTimeout),
      );
      child?.controller.signal.addEventListener('abort', onAbort, { once: true });
    }),
};
