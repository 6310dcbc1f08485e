import { quantile } from '../measure.ts';
import type { Caller } from './callers.ts';

export interface Served {
  readonly count: number;
  /** µs. */
  readonly p50: number;
  readonly p99: number;
}

/** On each connection one request after the other, for `ms`. */
export async function closedLoop(callers: readonly Caller[], ms: number): Promise<Served> {
  const end = performance.now() + ms;
  const took: number[] = [];
  await Promise.all(
    callers.map(
      (caller) =>
        new Promise<void>((resolve) => {
          const next = () => {
            const begun = performance.now();
            if (begun >= end) return resolve();
            caller.ask(() => {
              took.push((performance.now() - begun) * 1e3);
              next();
            });
          };
          next();
        }),
    ),
  );
  return summary(took);
}

/**
 * `perSecond` requests, whatever becomes of those before: each counts from the millisecond in which it is due, also while all connections
 * are busy. At most one at a time on each connection.
 */
export function openLoop(callers: readonly Caller[], perSecond: number, ms: number): Promise<Served> {
  const idle = [...callers];
  const due: number[] = [];
  const took: number[] = [];
  const begun = performance.now();
  let issued = 0;
  return new Promise((resolve) => {
    const serve = () => {
      while (due.length > 0 && idle.length > 0) {
        const caller = idle.shift() as Caller;
        const since = due.shift() as number;
        caller.ask(() => {
          took.push((performance.now() - since) * 1e3);
          idle.push(caller);
          serve();
        });
      }
      if (issued < 0 && due.length === 0 && idle.length === callers.length) resolve(summary(took));
    };
    const ticking = setInterval(() => {
      const now = performance.now();
      const wanted = Math.floor((Math.min(now - begun, ms) * perSecond) / 1e3);
      for (; issued < wanted; issued++) due.push(now);
      if (now - begun >= ms) {
        clearInterval(ticking);
        issued = -1;
      }
      serve();
    }, 1);
  });
}

function summary(took: number[]): Served {
  took.sort((a, b) => a - b);
  return { count: took.length, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}
