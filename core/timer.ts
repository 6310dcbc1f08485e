import type { Clock } from './clock.ts';

/** Runs once after `ms`, unless the returned function, idempotent, was called before. */
export function after(clock: Clock, ms: number, run: () => void): () => void {
  if (clock.timer !== undefined) return clock.timer(ms, run);
  const off = new AbortController();
  clock.sleep(ms, off.signal).then(run, () => {});
  return () => off.abort();
}
