import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition; rejects with `what`, and why it did not hold, after `timeoutMs`. */
export async function until<T>(what: string, condition: () => Promise<T>, timeoutMs = 30_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let why: string;
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
      why = 'not yet';
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for: ${what} (${why})`);
    await delay(50);
  }
}
