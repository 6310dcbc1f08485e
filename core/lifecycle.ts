import { MeshError } from './errors.ts';

/** Anything with sockets, timers or files. */
export interface Service {
  /** Resolves when ready to serve; a failed start has disposed what it made before it rejects. */
  start(signal: AbortSignal): Promise<void>;
  /** Stops accepting, finishes what runs, and after `deadlineMs` forces the rest. */
  drain(deadlineMs: number): Promise<void>;
  /** Idempotent. */
  dispose(): Promise<void>;
}

/**
 * A controller that aborts when `parent` does, and whose `release` unhooks it from `parent`. Use in place of
 * AbortSignal.any, which on Node 20 never lets go of a long-lived signal's dependants.
 */
export function childController(parent: AbortSignal): { controller: AbortController; release: () => void } {
  const controller = new AbortController();
  if (parent.aborted) controller.abort(parent.reason);
  const relay = () => controller.abort(parent.reason);
  parent.addEventListener('abort', relay, { once: true });
  return { controller, release: () => parent.removeEventListener('abort', relay) };
}

/** Runs tasks side by side; when one fails all are aborted, and the first failure is thrown after the last has ended. */
export async function runGroup(parent: AbortSignal, tasks: readonly ((signal: AbortSignal) => Promise<void>)[]): Promise<void> {
  const { controller, release } = childController(parent);
  let first: unknown;
  let failed = false;
  try {
    await Promise.all(
      tasks.map(async (task) => {
        try {
          await task(controller.signal);
        } catch (error) {
          if (!failed && !controller.signal.aborted) {
            failed = true;
            first = error;
          }
          controller.abort(error);
        }
      }),
    );
  } finally {
    release();
  }
  if (failed) throw first;
}

export function isAborted(error: unknown): boolean {
  return (error instanceof MeshError && error.code === 'ABORTED') || (error instanceof Error && error.name === 'AbortError');
}

export interface Backoff {
  /** ms until the next try. */
  next(): number;
  reset(): void;
}

/** Full jitter: each wait is uniform in [base, min(max, base·2^n)], so that a herd spreads out. */
export function exponentialBackoff(options: { baseMs: number; maxMs: number; random: () => number }): Backoff {
  let tries = 0;
  return {
    next() {
      const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** tries);
      tries = Math.min(tries + 1, 30);
      return options.baseMs + options.random() * Math.max(0, ceiling - options.baseMs);
    },
    reset() {
      tries = 0;
    },
  };
}
