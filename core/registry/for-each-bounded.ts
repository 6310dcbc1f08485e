import { setMaxListeners } from 'node:events';
import { MeshError } from '../errors.ts';
import { childController } from '../lifecycle.ts';

/**
 * Runs `task` for every item, `limit` at once. The first failure ends the rest, and is thrown after they have ended; so is ABORTED
 * when `signal` aborts: it never resolves with some items left out.
 */
export async function forEachBounded<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  task: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { controller, release } = childController(signal);
  // One listener per worker is meant.
  setMaxListeners(0, controller.signal);
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      if (controller.signal.aborted) return;
      await task(item, controller.signal);
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, worker);
  try {
    await Promise.all(workers);
  } finally {
    controller.abort();
    release();
    await Promise.allSettled(workers);
  }
  if (signal.aborted) throw new MeshError('ABORTED', 'aborted with items left', { cause: signal.reason });
}
