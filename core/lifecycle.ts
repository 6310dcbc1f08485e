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

interface ChildController {
  readonly controller: AbortController;
  readonly release: () => void;
}

interface Family {
  readonly children: Set<AbortController>;
  readonly relay: () => void;
}

/** Children of one signal share one listener on it: Node takes more than ten for a leak, and says so in the log. */
const families = new WeakMap<AbortSignal, Family>();

/**
 * A controller that aborts when `parent` does, and whose `release`, idempotent, unhooks it from `parent`; however many there are,
 * they cost `parent` one listener. Use in place of AbortSignal.any, which on Node 20 never lets go of a long-lived signal's dependants.
 */
export function childController(parent: AbortSignal): ChildController {
  const controller = new AbortController();
  if (parent.aborted) {
    controller.abort(parent.reason);
    return { controller, release: () => undefined };
  }
  const family = families.get(parent) ?? begin(parent);
  family.children.add(controller);
  const release = () => {
    if (!family.children.delete(controller) || family.children.size > 0) return;
    parent.removeEventListener('abort', family.relay);
    families.delete(parent);
  };
  return { controller, release };
}

function begin(parent: AbortSignal): Family {
  const children = new Set<AbortController>();
  const relay = () => {
    families.delete(parent);
    for (const child of children) child.abort(parent.reason);
  };
  const family = { children, relay };
  families.set(parent, family);
  parent.addEventListener('abort', relay, { once: true });
  return family;
}

/** Runs tasks side by side, each with a signal of its own; when one fails all are aborted, and the first failure is thrown after the last has ended. */
export async function runGroup(parent: AbortSignal, tasks: readonly ((signal: AbortSignal) => Promise<void>)[]): Promise<void> {
  const running = tasks.map((task) => ({ task, child: childController(parent) }));
  let first: unknown;
  let failed = false;
  try {
    await Promise.all(
      running.map(async ({ task, child }) => {
        try {
          await task(child.controller.signal);
        } catch (error) {
          if (!failed && !child.controller.signal.aborted) {
            failed = true;
            first = error;
          }
          for (const each of running) each.child.controller.abort(error);
        }
      }),
    );
  } finally {
    for (const { child } of running) child.release();
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
